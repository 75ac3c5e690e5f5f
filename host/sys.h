/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat without the symbols of glibc 2.33, so that one library loads on old
 * systems too: on the 64-bit ports the kernel's struct stat is the C library's.
 */
#ifndef MTLS_HOST_SYS_H
#define MTLS_HOST_SYS_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* As stat(2) and fstat(2): 0, or -1 and errno. Async-signal-safe. */
#if (defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__) || (defined(__riscv) && __riscv_xlen == 64)
static inline int mtls_stat(const char *path, struct stat *st)
{
	return (int)syscall(SYS_newfstatat, AT_FDCWD, path, st, 0);
}

static inline int mtls_fstat(int fd, struct stat *st)
{
	return (int)syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}
#else
static inline int mtls_stat(const char *path, struct stat *st)
{
	return stat(path, st);
}

static inline int mtls_fstat(int fd, struct stat *st)
{
	return fstat(fd, st);
}
#endif

#endif
