//go:build ignore
// (for the Go tools: this is no part of a Go package)

/* A task without any SDK: an export of numbers is a task as it is.
 *
 *     clang-19 --target=wasm32 -nostdlib -O2 -Wl,--no-entry,--export=add -o add.wasm add.c
 *     entangle run add.wasm:add 2 3
 */
long long add(long long a, long long b) { return a + b; }
