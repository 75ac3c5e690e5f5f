/* SPDX-License-Identifier: Apache-2.0 */
/* STUB */
#include "agent/ingest.h"

bool agent_ingest(const char *inbox, const char *folder)
{
	(void)inbox, (void)folder;
	return true;
}
