/* SPDX-License-Identifier: Apache-2.0 */
/* ingest INBOX FOLDER: what mtls-agent --ingest does at its start, and nothing after it. Exit 0: true; 1: false. */
#include "agent/ingest.h"

int main(int argc, char **argv)
{
	return argc == 3 && agent_ingest(argv[1], argv[2]) ? 0 : 1;
}
