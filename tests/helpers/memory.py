#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memory.py PID HEX: how often these bytes, or the same backwards, stand in a process's memory. Says on standard error
what could not be read; nothing that could be is left out."""
import sys

pid, number = sys.argv[1], bytes.fromhex(sys.argv[2])
wanted = (number, number[::-1])
found = 0
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        place, rights = line.split()[:2]
        if "r" not in rights or "[v" in line:
            continue
        start, end = (int(x, 16) for x in place.split("-"))
        try:
            memory.seek(start)
            block = memory.read(end - start)
        except OSError as error:
            print(f"{line.strip()}: {error}", file=sys.stderr)
            continue
        found += sum(block.count(bytes_) for bytes_ in wanted)
print(found)
