/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shim/generation.c wants of the rest of the shim: the environment of the
 * test, and a turn for the test each time that it is asked for.
 */
#include "generation_fixture.h"

#include "shim/shim.h"

const struct mtls_environment *unit_environment;
atomic_int unit_asked;
void (*unit_before_environment)(void);

const struct mtls_environment *shim_environment(void)
{
	unit_asked++;
	if (unit_before_environment)
		unit_before_environment();
	return unit_environment;
}
