/* Calls every function of WASI preview 1 itself, below wasi-libc, and has each answer
 * every errno that an ordinary system leads to. It prints "FUNCTION ERRNO" for each call,
 * and ends with status 1 at the first answer that is not the one that is due. What it makes
 * it removes, so that it can be called again. It is given three directories:
 *
 *     3  /w  f (hello), d/g (nested), l -> f, dl -> d, out -> ../secret, up -> .., loop -> loop, fifo
 *     4  /r  f (fixed), d, and may not change it
 *     5  /o  nothing
 *
 * With the argument "exit" it ends with status 7. It needs 2 MiB of memory.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WASI(name, ...) \
    __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) int name(__VA_ARGS__)
typedef const void *ptr;
typedef int64_t i64;
WASI(args_get, ptr, ptr);
WASI(args_sizes_get, ptr, ptr);
WASI(clock_res_get, int, ptr);
WASI(clock_time_get, int, i64, ptr);
WASI(environ_get, ptr, ptr);
WASI(environ_sizes_get, ptr, ptr);
WASI(fd_advise, int, i64, i64, int);
WASI(fd_allocate, int, i64, i64);
WASI(fd_close, int);
WASI(fd_datasync, int);
WASI(fd_fdstat_get, int, ptr);
WASI(fd_fdstat_set_flags, int, int);
WASI(fd_fdstat_set_rights, int, i64, i64);
WASI(fd_filestat_get, int, ptr);
WASI(fd_filestat_set_size, int, i64);
WASI(fd_filestat_set_times, int, i64, i64, int);
WASI(fd_pread, int, ptr, int, i64, ptr);
WASI(fd_prestat_dir_name, int, ptr, int);
WASI(fd_prestat_get, int, ptr);
WASI(fd_pwrite, int, ptr, int, i64, ptr);
WASI(fd_read, int, ptr, int, ptr);
WASI(fd_readdir, int, ptr, int, i64, ptr);
WASI(fd_renumber, int, int);
WASI(fd_seek, int, i64, int, ptr);
WASI(fd_sync, int);
WASI(fd_tell, int, ptr);
WASI(fd_write, int, ptr, int, ptr);
WASI(path_create_directory, int, ptr, int);
WASI(path_filestat_get, int, int, ptr, int, ptr);
WASI(path_filestat_set_times, int, int, ptr, int, i64, i64, int);
WASI(path_link, int, int, ptr, int, int, ptr, int);
WASI(path_open, int, int, ptr, int, int, i64, i64, int, ptr);
WASI(path_readlink, int, ptr, int, ptr, int, ptr);
WASI(path_remove_directory, int, ptr, int);
WASI(path_rename, int, ptr, int, int, ptr, int);
WASI(path_symlink, ptr, int, int, ptr, int);
WASI(path_unlink_file, int, ptr, int);
WASI(poll_oneoff, ptr, ptr, int, ptr);
WASI(proc_raise, int);
WASI(random_get, ptr, int);
WASI(sched_yield, void);
WASI(sock_accept, int, int, ptr);
WASI(sock_recv, int, ptr, int, int, ptr, ptr);
WASI(sock_send, int, ptr, int, int, ptr);
WASI(sock_shutdown, int, int);

enum { OK = 0, ACCES = 2, BADF = 8, EXIST = 20, FAULT = 21, FBIG = 22, ILSEQ = 25, INVAL = 28, ISDIR = 31, LOOP = 32, MFILE = 33,
       NAMETOOLONG = 37, NOENT = 44, NOSYS = 52, NOTDIR = 54, NOTEMPTY = 55, NOTSOCK = 57, NOTSUP = 58, BUSY = 10, PERM = 63,
       ROFS = 69, SPIPE = 70, XDEV = 75, NOTCAPABLE = 76 };
enum { W = 3, R = 4, CREAT = 1, DIRECTORY = 2, EXCL = 4, TRUNC = 8, RIGHT_READ = 2, RIGHT_WRITE = 64, BOTH = 66 };

static char buf[4096];
static uint32_t out[2];
static uint64_t wide;
static struct { const void *p; uint32_t n; } vec[2] = {{buf, 4}, {buf + 4, 4}}, far[1] = {{(void *)-4, 8}}, huge[4096];
static const ptr nowhere = (ptr)-3; /* no memory goes that far */

static void check(int line, const char *call, int want, int got) {
    printf("%.*s %d\n", (int)strcspn(call, "("), call, got);
    if (got != want) {
        fprintf(stderr, "line %d: %s is %d, want %d\n", line, call, got, want);
        exit(1);
    }
}
#define IS(want, call) check(__LINE__, #call, want, call)
#define S(s) s, sizeof(s) - 1
#define TRUE(x) ((x) ? (void)0 : (fprintf(stderr, "line %d: not %s\n", __LINE__, #x), exit(1)))

static int open_at(int dir, const char *name, int oflags, i64 rights, int flags) {
    IS(OK, path_open(dir, 0, name, strlen(name), oflags, rights, 0, flags, out));
    return out[0];
}

static void process(void) {
    IS(OK, args_sizes_get(out, out + 1));
    TRUE(out[0] == 3 && out[1] == sizeof "calls\0a b\0\303\251");
    IS(OK, args_get(huge, buf));
    TRUE(!memcmp(buf, "calls\0a b\0\303\251", out[1]) && *(char **)huge == buf);
    IS(FAULT, args_sizes_get(nowhere, out));
    IS(FAULT, args_sizes_get(out, nowhere));
    IS(FAULT, args_get(nowhere, buf));
    IS(FAULT, args_get(huge, nowhere));
    IS(OK, environ_sizes_get(out, out + 1));
    TRUE(out[0] == 1 && out[1] == sizeof "ENTANGLE_CALLS=1");
    IS(OK, environ_get(huge, buf));
    TRUE(!strcmp(buf, "ENTANGLE_CALLS=1"));
    IS(FAULT, environ_sizes_get(nowhere, out));
    IS(FAULT, environ_get(huge, nowhere));
    for (int id = 0; id < 2; id++) {
        static uint64_t first;
        IS(OK, clock_time_get(id, 1, &first));
        IS(OK, clock_time_get(id, 1, &wide));
        TRUE(first > 0 && wide >= first);
        IS(OK, clock_res_get(id, &wide));
        TRUE(wide > 0 && wide < 1000000000);
    }
    IS(INVAL, clock_time_get(2, 0, &wide));
    IS(INVAL, clock_res_get(-1, &wide));
    IS(FAULT, clock_time_get(0, 0, nowhere));
    IS(FAULT, clock_res_get(0, nowhere));
    IS(OK, random_get(buf, 16));
    IS(OK, random_get(buf + 16, 16));
    TRUE(memcmp(buf, buf + 16, 16));
    IS(FAULT, random_get(buf, -1));
    IS(OK, sched_yield());
    IS(NOSYS, proc_raise(6));
    for (int i = 0; i < 2; i++) {
        int fd = i ? 99 : W, want = i ? BADF : NOTSOCK;
        IS(want, sock_accept(fd, 0, out));
        IS(want, sock_recv(fd, vec, 2, 0, out, out));
        IS(want, sock_send(fd, vec, 2, 0, out));
        IS(want, sock_shutdown(fd, 1));
    }
}

static void poll(void) {
    static struct { uint64_t userdata; uint8_t kind; _Alignas(8) uint32_t id; uint64_t timeout, precision; uint16_t flags; } sub[3];
    static struct { uint64_t userdata; uint16_t error; uint8_t kind; uint64_t bytes; uint16_t flags; } event[3];
    sub[0].userdata = 1, sub[0].id = 1, sub[0].timeout = 1000000;
    IS(OK, poll_oneoff(sub, event, 1, out));
    TRUE(out[0] == 1 && event[0].userdata == 1 && event[0].error == 0 && event[0].kind == 0);
    sub[1].userdata = 2, sub[1].kind = 1, sub[1].id = 0;
    sub[2].userdata = 3, sub[2].kind = 2, sub[2].id = 99;
    IS(OK, poll_oneoff(sub, event, 3, out));
    TRUE(out[0] == 2 && event[0].userdata == 2 && event[0].kind == 1 && event[1].userdata == 3 && event[1].error == BADF);
    IS(INVAL, poll_oneoff(sub, event, 0, out));
    sub[2].kind = 3;
    IS(INVAL, poll_oneoff(sub, event, 3, out));
    IS(FAULT, poll_oneoff(nowhere, event, 1, out));
    IS(FAULT, poll_oneoff(sub, nowhere, 1, out));
    IS(FAULT, poll_oneoff(sub, event, -1, out));
}

static void files(void) {
    int fd = open_at(W, "n", CREAT | EXCL, BOTH | 1 << 2 | 1 << 5, 0), fixed = open_at(R, "f", 0, RIGHT_READ, 0);
    memcpy(buf, "01234567", 8);
    IS(OK, fd_write(fd, vec, 2, out));
    TRUE(out[0] == 8);
    IS(OK, fd_tell(fd, &wide));
    TRUE(wide == 8);
    IS(OK, fd_pwrite(fd, vec, 1, 2, out));
    IS(OK, fd_seek(fd, -8, 1, &wide));
    IS(OK, fd_read(fd, vec, 2, out));
    TRUE(out[0] == 8 && !memcmp(buf, "01012367", 8));
    IS(OK, fd_read(fd, vec, 2, out));
    TRUE(out[0] == 0);
    IS(OK, fd_pread(fd, vec, 1, 6, out));
    TRUE(out[0] == 2 && !memcmp(buf, "67", 2));
    IS(OK, fd_filestat_set_size(fd, 100));
    IS(OK, fd_filestat_set_times(fd, 1000000000, 2000000000, 5));
    IS(OK, fd_filestat_get(fd, buf));
    TRUE(buf[16] == 4 && *(uint64_t *)(buf + 24) == 1 && *(uint64_t *)(buf + 32) == 100);
    TRUE(*(uint64_t *)(buf + 40) == 1000000000 && *(uint64_t *)(buf + 48) == 2000000000);
    IS(OK, fd_allocate(fd, 100, 28));
    IS(OK, fd_advise(fd, 0, 0, 2));
    IS(OK, fd_sync(fd));
    IS(OK, fd_datasync(fd));
    IS(OK, fd_fdstat_set_flags(fd, 1));
    IS(OK, fd_fdstat_get(fd, buf));
    TRUE(buf[0] == 4 && buf[2] == 1 && *(uint64_t *)(buf + 8) == (BOTH | 1 << 2 | 1 << 5));

    for (size_t i = 0; i < 4096; i++) {
        huge[i].p = 0, huge[i].n = 1 << 20; /* together 4 GiB */
    }
    struct { int fd, read, write, seek, size, sync, advise, allocate; } all[] = {
        {1, BADF, OK, SPIPE, INVAL, INVAL, SPIPE, SPIPE},
        {0, OK, BADF, SPIPE, INVAL, INVAL, SPIPE, SPIPE},
        {W, ISDIR, ISDIR, ISDIR, ISDIR, OK, ISDIR, ISDIR},
        {fixed, OK, BADF, OK, ROFS, OK, OK, ROFS},
        {99, BADF, BADF, BADF, BADF, BADF, BADF, BADF},
        {-1, BADF, BADF, BADF, BADF, BADF, BADF, BADF},
        {1 << 30, BADF, BADF, BADF, BADF, BADF, BADF, BADF},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int f = all[i].fd, stream = f == 0 || f == 1;
        IS(all[i].read, fd_read(f, vec, 1, out));
        IS(stream ? SPIPE : all[i].read, fd_pread(f, vec, 1, 0, out));
        IS(all[i].write, fd_write(f, vec, 0, out));
        IS(stream ? SPIPE : all[i].write, fd_pwrite(f, vec, 1, 0, out));
        IS(all[i].seek, fd_seek(f, 0, 0, &wide));
        IS(all[i].seek, fd_tell(f, &wide));
        IS(all[i].size, fd_filestat_set_size(f, 1));
        IS(all[i].sync, fd_sync(f));
        IS(all[i].sync, fd_datasync(f));
        IS(all[i].advise, fd_advise(f, 0, 0, 0));
        IS(all[i].allocate, fd_allocate(f, 0, 1));
        int bad = all[i].sync == BADF ? BADF : OK;
        IS(bad, fd_fdstat_get(f, buf));
        IS(bad, fd_fdstat_set_flags(f, 0));
        IS(bad, fd_filestat_get(f, buf));
        IS(bad ? BADF : NOTCAPABLE, fd_fdstat_set_rights(f, -1, -1));
        IS(f == fixed ? ROFS : bad ? BADF : stream ? INVAL : OK, fd_filestat_set_times(f, 1, 1, 5));
        IS(f == W ? OK : BADF, fd_prestat_get(f, buf));
        IS(f == W ? OK : BADF, fd_prestat_dir_name(f, buf, 2));
        IS(f == W ? OK : bad ? BADF : NOTDIR, fd_readdir(f, buf, sizeof buf, 0, out));
    }
    TRUE(out[0] > 0);
    IS(NAMETOOLONG, fd_prestat_dir_name(W, buf, 1));
    IS(FAULT, fd_prestat_dir_name(W, nowhere, 4));
    IS(FAULT, fd_prestat_get(W, nowhere));
    IS(FAULT, fd_fdstat_get(fd, nowhere));
    IS(FAULT, fd_filestat_get(fd, nowhere));
    IS(FAULT, fd_readdir(W, nowhere, 64, 0, out));
    IS(FAULT, fd_seek(fd, 0, 0, nowhere));
    IS(FAULT, fd_tell(fd, nowhere));
    IS(FAULT, fd_read(fd, far, 1, out));
    IS(FAULT, fd_write(fd, vec, -1, out));
    IS(FAULT, fd_pread(fd, vec, 1, 0, nowhere));
    IS(FAULT, fd_pwrite(fd, nowhere, 1, 0, out));
    IS(INVAL, fd_read(fd, huge, 4096, out));
    IS(INVAL, fd_write(fd, huge, 4096, out));
    IS(INVAL, fd_pread(fd, vec, 1, INT64_MIN, out));
    IS(INVAL, fd_pwrite(fd, vec, 1, -1, out));
    IS(INVAL, fd_seek(fd, -1, 0, &wide));
    IS(INVAL, fd_seek(fd, 0, 3, &wide));
    IS(INVAL, fd_seek(fd, INT64_MAX, 2, &wide)); /* past 2^63 */
    IS(INVAL, fd_advise(fd, -1, 0, 0));
    IS(INVAL, fd_advise(fd, 0, 0, 6));
    IS(INVAL, fd_allocate(fd, 0, 0));
    IS(INVAL, fd_filestat_set_times(fd, 0, 0, 3));
    IS(FBIG, fd_filestat_set_size(fd, -1));
    IS(INVAL, fd_fdstat_set_flags(fd, 32));
    IS(NOTSUP, fd_fdstat_set_flags(fd, 16));
    IS(OK, fd_fdstat_set_rights(fd, RIGHT_READ, 0));
    IS(BADF, fd_write(fd, vec, 1, out));
    IS(OK, fd_renumber(fd, fixed));
    IS(BADF, fd_renumber(fd, fixed));
    IS(BADF, fd_renumber(fixed, fd));
    IS(BADF, fd_close(fd));
    IS(OK, fd_close(fixed));
    IS(BADF, fd_close(-1));
    IS(OK, path_unlink_file(W, S("n")));
}

/* What every function of paths answers to a name in a directory. */
static void each(int dir, const char *name, int n, int get, int change) {
    IS(get, path_filestat_get(dir, 0, name, n, buf));
    IS(get, path_open(dir, 1, name, n, 0, RIGHT_READ, 0, 0, out));
    IS(get, path_readlink(dir, name, n, buf, 64, out));
    IS(change, path_open(dir, 1, name, n, CREAT, BOTH, 0, 0, out));
    IS(change, path_create_directory(dir, name, n));
    IS(change, path_filestat_set_times(dir, 0, name, n, 1, 1, 5));
    IS(change, path_link(dir, 0, name, n, W, S("n")));
    IS(change, path_link(W, 0, S("f"), dir, name, n));
    IS(change, path_remove_directory(dir, name, n));
    IS(change, path_rename(dir, name, n, W, S("n")));
    IS(change, path_rename(W, S("f"), dir, name, n));
    IS(change, path_symlink(S("f"), dir, name, n));
    IS(change, path_unlink_file(dir, name, n));
}

static void paths(void) {
    static char lengthy[4097];
    memset(lengthy, 'x', sizeof lengthy);
    struct { const char *name; int n, is; } none[] = {
        {S(""), NOENT}, {S("no/f"), NOENT}, {S("f/x"), NOTDIR}, {S("loop/x"), LOOP}, {S("/"), PERM}, {S("/w/f"), PERM},
        {S(".."), PERM}, {S("d/../../w/f"), PERM}, {S("up/secret"), PERM}, {S("f\0"), INVAL}, {S("\377"), ILSEQ},
        {lengthy, 256, NAMETOOLONG}, {lengthy, 4096, NAMETOOLONG}, {nowhere, 4, FAULT}, {buf, -1, FAULT},
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        each(W, none[i].name, none[i].n, none[i].is, none[i].is);
    }
    each(99, S("f"), BADF, BADF);
    each(1, S("f"), NOTDIR, NOTDIR);
    IS(ROFS, path_create_directory(R, S("n")));
    IS(ROFS, path_filestat_set_times(R, 0, S("f"), 1, 1, 5));
    IS(ROFS, path_link(R, 0, S("f"), R, S("n")));
    IS(ROFS, path_link(W, 0, S("f"), R, S("n")));
    IS(ROFS, path_open(R, 0, S("f"), TRUNC, RIGHT_WRITE, 0, 0, out));
    IS(ROFS, path_remove_directory(R, S("d")));
    IS(ROFS, path_rename(R, S("f"), W, S("n")));
    IS(ROFS, path_symlink(S("f"), R, S("n")));
    IS(ROFS, path_unlink_file(R, S("f")));

    IS(OK, path_create_directory(W, S("n")));
    IS(EXIST, path_create_directory(W, S("n")));
    IS(OK, path_symlink(S("../f"), W, S("n/s")));
    IS(EXIST, path_symlink(S("f"), W, S("n/s")));
    IS(PERM, path_symlink(S("/f"), W, S("n/t")));
    IS(FAULT, path_symlink(nowhere, 4, W, S("n/t")));
    IS(OK, path_link(W, 0, S("f"), W, S("n/h")));
    IS(EXIST, path_link(W, 0, S("f"), W, S("n/h")));
    IS(PERM, path_link(W, 0, S("d"), W, S("n/t")));
    IS(INVAL, path_link(W, 1, S("l"), W, S("n/t")));
    IS(OK, path_filestat_get(W, 1, S("n/s"), buf));
    TRUE(buf[16] == 4 && *(uint64_t *)(buf + 24) == 2 && *(uint64_t *)(buf + 32) == 5);
    IS(INVAL, path_filestat_get(W, 2, S("f"), buf));
    IS(FAULT, path_filestat_get(W, 0, S("f"), nowhere));
    IS(OK, path_filestat_set_times(W, 1, S("n/s"), 3, 4, 5));
    IS(INVAL, path_filestat_set_times(W, 0, S("f"), 0, 0, 16));
    IS(OK, path_readlink(W, S("n/s"), buf, 2, out));
    TRUE(out[0] == 2 && !memcmp(buf, "..", 2));
    IS(INVAL, path_readlink(W, S("f"), buf, 64, out));
    IS(FAULT, path_readlink(W, S("l"), nowhere, 64, out));
    IS(OK, path_rename(W, S("n/h"), W, S("n/i")));
    IS(ISDIR, path_rename(W, S("n/i"), W, S("d")));
    IS(NOTDIR, path_rename(W, S("d"), W, S("n/i")));
    IS(NOTEMPTY, path_rename(W, S("n"), W, S("d")));
    IS(INVAL, path_rename(W, S("n"), W, S("n/n")));
    IS(BUSY, path_rename(W, S("n/."), W, S("t")));
    IS(NOTEMPTY, path_remove_directory(W, S("n")));
    IS(INVAL, path_remove_directory(W, S("n/.")));
    IS(NOTDIR, path_remove_directory(W, S("n/i")));
    IS(ISDIR, path_unlink_file(W, S("n/")));
    IS(NOTDIR, path_unlink_file(W, S("n/i/")));
    IS(OK, path_unlink_file(W, S("n/s")));
    IS(OK, path_unlink_file(W, S("n/i")));

    int dir = open_at(W, "n", DIRECTORY, 0, 0);
    IS(OK, path_remove_directory(W, S("n")));
    IS(NOENT, fd_readdir(dir, buf, sizeof buf, 0, out));
    IS(NOENT, path_create_directory(dir, S("n")));
    IS(OK, fd_close(dir));

    IS(PERM, path_open(W, 1, S("out"), 0, RIGHT_READ, 0, 0, out));
    IS(LOOP, path_open(W, 0, S("l"), 0, RIGHT_READ, 0, 0, out));
    IS(NOTDIR, path_open(W, 0, S("f"), DIRECTORY, 0, 0, 0, out));
    IS(ISDIR, path_open(W, 0, S("d"), 0, RIGHT_WRITE, 0, 0, out));
    IS(EXIST, path_open(W, 0, S("f"), CREAT | EXCL, 0, 0, 0, out));
    IS(INVAL, path_open(W, 0, S("f"), 16, 0, 0, 0, out));
    IS(ACCES, path_open(W, 0, S("fifo"), 0, RIGHT_READ, 0, 0, out));
    IS(FAULT, path_open(W, 0, S("f"), 0, 0, 0, 0, nowhere));
    IS(OK, fd_fdstat_set_rights(W, 1 << 13, 0)); /* to open, and no more */
    IS(NOTCAPABLE, path_open(W, 0, S("f"), TRUNC, 0, 0, 0, out));
    int n = 0, e;
    while ((e = path_open(W, 0, S("f"), 0, 0, 0, 0, out)) == OK) {
        n++;
    }
    TRUE(n > 200);
    IS(MFILE, path_open(W, 0, S("f"), 0, 0, 0, 0, out));
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "exit")) {
        _Exit(7);
    }
    process();
    poll();
    files();
    paths();
    IS(XDEV, path_link(W, 0, S("f"), 5, S("x")));
    IS(XDEV, path_rename(W, S("f"), 5, S("x")));
    fflush(stdout);
    _Exit(0);
}
