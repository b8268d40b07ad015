//go:build ignore
// (for the Go tools: this is no part of a Go package)

/* A task without any SDK: an ordinary program. Strings become its arguments, bytes its
 * standard input; what it prints is the result, and if that is JSON, the value in it.
 *
 *     clang-19 --target=wasm32-wasi -O2 -o hello.wasm hello.c
 *     entangle run hello.wasm '"World"'
 */
#include <stdio.h>
#include <unistd.h>

/* print_json prints a string in JSON. What is below a space is escaped; the bytes of
 * UTF-8 stay as they are. */
static void print_json(const char *s) {
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') {
            putchar('\\');
            putchar(*s);
        } else if ((unsigned char)*s < ' ') {
            fputs("\\u00", stdout);
            putchar("01"[*s >> 4]);
            putchar("0123456789abcdef"[*s & 15]);
        } else {
            putchar(*s);
        }
    }
    putchar('"');
}

int main(int argc, char **argv) {
    static char buffer[1 << 16];
    unsigned long long bytes = 0;
    ssize_t n;
    while ((n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
        bytes += (unsigned long long)n;
    }
    if (n < 0) {
        fputs("hello: cannot read standard input\n", stderr);
        return 1;
    }
    fputs("{\"args\":[", stdout);
    for (int i = 1; i < argc; i++) {
        if (i > 1) {
            putchar(',');
        }
        print_json(argv[i]);
    }
    fputs("],\"stdin\":", stdout);
    /* No printf: it would be most of the module. */
    char digits[24], *p = digits + sizeof digits - 1;
    *p = 0;
    do {
        *--p = (char)('0' + bytes % 10);
        bytes /= 10;
    } while (bytes);
    fputs(p, stdout);
    fputs("}\n", stdout);
    return fflush(stdout) ? 1 : 0;
}
