//go:build ignore
// (for the Go tools: this is no part of a Go package)

/* The guests of `entangle bench wasi/`. Each calls WASI itself, n times, in the directory
 * that it has as descriptor 3, and returns how many calls failed. */
#include "entangle.h"

#define WASI(name, ...) \
    __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) int name(__VA_ARGS__)
WASI(clock_time_get, int, int64_t, void *);
WASI(fd_close, int);
WASI(fd_read, int, void *, int, void *);
WASI(fd_write, int, void *, int, void *);
WASI(path_open, int, int, const char *, int, int, int64_t, int64_t, int, void *);
WASI(path_unlink_file, int, const char *, int);
WASI(random_get, void *, int);

ENTANGLE_MODULE("What entangle bench calls of WASI.");

static char line[100], block[65536];
static uint32_t out;
static uint64_t wide;
static struct {
    void *at;
    uint32_t size;
} lines = {line, sizeof line}, blocks = {block, sizeof block};

enum { STDOUT = 1, DIR = 3, CREATE = 1, TRUNCATE = 8, READ = 2, WRITE = 64 };

ENTANGLE_PLAIN(int64_t, writes, (int64_t n), "(n: int) -> int", "Writes n lines of 100 bytes to the log.") {
    int64_t failed = 0;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (int64_t i = 0; i < n; i++) {
        failed += fd_write(STDOUT, &lines, 1, &out) != 0;
    }
    return failed;
}

ENTANGLE_PLAIN(int64_t, clocks, (int64_t n), "(n: int) -> int", "Reads the monotonic clock n times.") {
    int64_t failed = 0;
    for (int64_t i = 0; i < n; i++) {
        failed += clock_time_get(1, 1, &wide) != 0;
    }
    return failed;
}

ENTANGLE_PLAIN(int64_t, randoms, (int64_t n), "(n: int) -> int", "Takes 32 random bytes n times.") {
    int64_t failed = 0;
    for (int64_t i = 0; i < n; i++) {
        failed += random_get(line, 32) != 0;
    }
    return failed;
}

ENTANGLE_PLAIN(int64_t, reads, (int64_t n), "(n: int) -> int", "Reads n blocks of 64 KiB of the file \"big\".") {
    if (path_open(DIR, 0, "big", 3, 0, READ, 0, 0, &out)) {
        return n;
    }
    int fd = (int)out;
    int64_t failed = 0;
    for (int64_t i = 0; i < n; i++) {
        failed += fd_read(fd, &blocks, 1, &out) != 0 || out != sizeof block;
    }
    return failed + (fd_close(fd) != 0);
}

ENTANGLE_PLAIN(int64_t, files, (int64_t n), "(n: int) -> int", "Makes, writes, closes and removes a file n times.") {
    int64_t failed = 0;
    for (int64_t i = 0; i < n; i++) {
        if (path_open(DIR, 0, "new", 3, CREATE | TRUNCATE, WRITE, 0, 0, &out)) {
            return n;
        }
        int fd = (int)out;
        failed += fd_write(fd, &lines, 1, &out) != 0 || fd_close(fd) != 0 || path_unlink_file(DIR, "new", 3) != 0;
    }
    return failed;
}
