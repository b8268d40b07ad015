/* A command that does one thing with files and prints what came of it:
 *
 *     files read PATH | write PATH TEXT | append PATH TEXT | list PATH | open PATH N
 *           stat PATH | mkdir PATH | remove PATH | rename FROM TO | link TARGET PATH
 *           hard FROM TO | readlink PATH | times PATH | env | roots | stderr N STATUS
 *
 * It prints a value in JSON, or ends with status 1 and the reason on standard error.
 *
 *     clang-19 --target=wasm32-wasi -O2 -c -o files.o files.c
 *     clang-19 --target=wasm32-wasi -Wl,--strip-debug -o files.wasm files.o
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

extern char **environ;

static int done(int failed) {
    if (failed) {
        fprintf(stderr, "%s\n", strerror(errno));
        return 1;
    }
    puts("true");
    return 0;
}

static int put(const char *path, const char *text, int flags) {
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
    size_t n = strlen(text);
    return done(fd < 0 || write(fd, text, n) != (ssize_t)n || close(fd));
}

static int read_all(const char *path) {
    static char buf[1 << 16];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
    if (n < 0) {
        return done(1);
    }
    printf("{\"text\":\"%.*s\"}\n", (int)n, buf);
    return 0;
}

/* list goes through the directory twice, so that rewinding is tried too. */
static int list(const char *path) {
    DIR *d = opendir(path);
    if (!d) {
        return done(1);
    }
    int n = 0;
    while (readdir(d)) {
        n++;
    }
    rewinddir(d);
    putchar('[');
    struct dirent *e;
    for (const char *sep = ""; (e = readdir(d)); n--) {
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
            printf("%s\"%s\"", sep, e->d_name);
            sep = ",";
        }
    }
    puts(n ? ",\"not the same again\"]" : "]");
    return 0;
}

/* many opens a file n times, closes none, and prints how often it worked. */
static int many(const char *path, int n) {
    int i = 0;
    while (i < n && open(path, O_RDONLY) >= 0) {
        i++;
    }
    printf("%d\n", i);
    return 0;
}

static int times(const char *path) {
    struct timespec t[2] = {{1, 0}, {1, 0}};
    int fd = open(path, O_RDONLY);
    int byPath = utimensat(AT_FDCWD, path, t, 0), byFile = fd < 0 ? -1 : futimens(fd, t);
    printf("[%s,%s]\n", byPath ? "false" : "true", byFile ? "false" : "true");
    return 0;
}

static int roots(void) {
    const char *sep = "";
    putchar('[');
    for (int fd = 3;; fd++) {
        __wasi_prestat_t p;
        char name[256] = "";
        if (__wasi_fd_prestat_get(fd, &p)) {
            break;
        }
        if (__wasi_fd_prestat_dir_name(fd, (uint8_t *)name, p.u.dir.pr_name_len)) break;
        printf("%s\"%.*s\"", sep, (int)p.u.dir.pr_name_len, name);
        sep = ",";
    }
    puts("]");
    return 0;
}

static int environment(void) {
    const char *sep = "";
    putchar('[');
    for (char **e = environ; e && *e; e++) {
        printf("%s\"%s\"", sep, *e);
        sep = ",";
    }
    puts("]");
    return 0;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "", *a = argc > 2 ? argv[2] : "", *b = argc > 3 ? argv[3] : "";
#define IS(v) (!strcmp(verb, v))
    struct stat s;
    char target[256];
    if (IS("read")) return read_all(a);
    if (IS("write")) return put(a, b, O_TRUNC);
    if (IS("append")) return put(a, b, O_APPEND);
    if (IS("list")) return list(a);
    if (IS("open")) return many(a, atoi(b));
    if (IS("mkdir")) return done(mkdir(a, 0755));
    if (IS("remove")) return done(remove(a));
    if (IS("rename")) return done(rename(a, b));
    if (IS("link")) return done(symlink(a, b));
    if (IS("hard")) return done(link(a, b));
    if (IS("times")) return times(a);
    if (IS("env")) return environment();
    if (IS("roots")) return roots();
    if (IS("stat")) {
        if (stat(a, &s)) return done(1);
        printf("%lld\n", (long long)s.st_size);
        return 0;
    }
    if (IS("readlink")) {
        ssize_t n = readlink(a, target, sizeof target - 1);
        if (n < 0) return done(1);
        printf("\"%.*s\"\n", (int)n, target);
        return 0;
    }
    if (IS("stderr")) {
        for (int i = 1; i <= atoi(a); i++) fprintf(stderr, "line %d\n", i);
        return atoi(b);
    }
    fprintf(stderr, "unknown verb %s\n", verb);
    return 2;
}
