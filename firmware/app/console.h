/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's console: a protocol of lines over the board's UART, for people and for mtls-device. Nothing is echoed.
 *
 * A command is one line: words with one blank between them, ended by LF (a CR before it is fine), at most
 * CONSOLE_LINE - 1 bytes. EOT (0x04) at the start of a line ends the console, as does the end of input.
 *
 *   help                         the commands
 *   status [json]                the credential's state
 *   upload NAME LENGTH CRC32     a file, each once: LENGTH in figures, CRC32 in hex; then its bytes, as below
 *   commit                       what was uploaded is taken over at the next boot
 *   abort                        forgets what was uploaded and not committed
 *   remove                       the credential is removed at the next boot
 *   counters                     signatures made with the key since the boot; with -DFIRMWARE_MEASURE the heap's bytes
 *   get URL [ADDRESS]            fetches https://HOST:PORT/…; with ADDRESS from there, without the resolver
 *
 * An answer is any number of the first three, then one of the last two:
 *
 *   ok-TEXT                      a line of text
 *   ok+N                         N bytes follow, behind the line feed and with nothing behind them
 *   ok?N                         upload: now send the next N bytes, without anything around them
 *   ok                           done
 *   error WORD SENTENCE          not done; the words are listed in console.c
 *
 * Lines that begin otherwise are no part of an answer: "ready BOARD STATE REASON" after each boot, log lines
 * ("mtls-run[1] …"). If the bytes of an upload stay away for CONSOLE_STALLED ms the command ends with an error, and
 * whatever comes later is read as commands. After an error of upload, the upload has to begin anew.
 */
#ifndef MTLS_FIRMWARE_APP_CONSOLE_H
#define MTLS_FIRMWARE_APP_CONSOLE_H

#include "firmware/board.h"

#define CONSOLE_LINE    600
#define CONSOLE_PIECE   1024 /* bytes of an upload that are asked for at once */
#define CONSOLE_STALLED 4000
#define CONSOLE_END     0x04

/* After vault_boot and mtls_sockets_start, whose network it runs meanwhile. Returns at the end of input. */
void console_run(const struct board *);

/* As it is, without waiting for the end of a line; for log lines too. */
void console_put(const char *text, size_t n);
/* From here on console_put works. */
void console_open(const struct board *);

#endif
