/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each folder of firmware/port/ defines, and what they share. An image is linked with one of them; it starts at
 * main with interrupts, stack and static data as C wants them.
 */
#ifndef MTLS_FIRMWARE_PORT_H
#define MTLS_FIRMWARE_PORT_H

#include "firmware/board.h"

/*
 * The board, its clocks and drivers ready; once, first thing in main, whose arguments it takes: an emulator or the host
 * passes words "name=value" that stand for the board's wiring. Its own are listed in the port's board.c. NULL: it
 * cannot run, and a line on its console says why.
 */
const struct board *board_start(int argc, char **argv);

/* Where there is something to end to (emulator, host) it ends with this status, 0 to 255; else the board resets. */
_Noreturn void board_exit(int status);

/* The value of the word "name=value"; NULL: there is none. */
const char *board_word(int argc, char **argv, const char *name);

/*
 * From here on mbedTLS and lwIP have this board's time, random numbers and (with FIRMWARE_HEAP) memory. Once, before
 * either of them is used. firmware/port/bind.c.
 */
void board_bind(const struct board *);
/* The board that was bound, or NULL. */
const struct board *board_bound(void);

/* Was mbedTLS refused memory since this was asked last? Also in an image that this one calls (note). memory.c */
bool board_had_no_memory(void);
void board_note_no_memory(void);

#endif
