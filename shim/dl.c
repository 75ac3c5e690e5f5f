/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's own dlsym, for our look-ups. */
#include "shim/dl.h"

void *dl_symbol(void *handle, const char *name)
{
	return dlsym(handle, name);
}
