/* SPDX-License-Identifier: Apache-2.0 */
/* Replays a corpus through a fuzz target without libFuzzer: `replay-NAME FILE...`. Prints how many ran. */
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		uint8_t *data;
		long size;

		if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
			fprintf(stderr, "replay: %s cannot be read\n", argv[i]);
			return 1;
		}
		rewind(file);
		data = malloc(size ? (size_t)size : 1);
		if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
			return 1;
		fclose(file);
		LLVMFuzzerTestOneInput(data, (size_t)size);
		free(data);
	}
	printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
