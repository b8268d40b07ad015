//go:build ignore
// (for the Go tools: this is no part of a Go package)

/* The guests of `entangle bench`. */
#include "entangle.h"

ENTANGLE_MODULE("What entangle bench calls.");

ENTANGLE_PLAIN(int64_t, empty0, (void), "() -> int", "Does nothing.") { return 1; }
ENTANGLE_PLAIN(int64_t, empty1, (int64_t a), "(a: int) -> int", "Does nothing.") { return a; }
ENTANGLE_PLAIN(int64_t, empty2, (int64_t a, int64_t b), "(a: int, b: int) -> int", "Does nothing.") { return a ^ b; }

/* Touches the stack and the heap, as real tasks do: an empty one misleads. */
ENTANGLE_PLAIN(int64_t, work, (int64_t seed), "(seed: int) -> int", "Writes 256 bytes of stack and 2,000 of heap, and sums them.") {
    volatile uint8_t stack[256];
    uint8_t *heap = malloc(2000);
    if (!heap) {
        __builtin_trap();
    }
    int64_t sum = 0;
    for (int i = 0; i < 256; i++) {
        stack[i] = (uint8_t)(seed + i);
    }
    for (int i = 0; i < 2000; i++) {
        ((volatile uint8_t *)heap)[i] = (uint8_t)(seed ^ i);
    }
    for (int i = 0; i < 256; i++) {
        sum += stack[i];
    }
    for (int i = 0; i < 2000; i++) {
        sum += heap[i];
    }
    free(heap);
    return sum;
}

/* A dependent chain of multiplications, which no compiler removes: x = x*a + c. */
ENTANGLE_PLAIN(int64_t, spin, (int64_t n, int64_t a, int64_t b), "(n: int, a: int, b: int) -> int", "Computes for n steps.") {
    uint64_t x = (uint64_t)(a ^ b);
    for (int64_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
    }
    return (int64_t)(x >> 1);
}

/* Calls the host n times for nothing: there is no such level. */
ENTANGLE_PLAIN(int64_t, ask, (int64_t n), "(n: int) -> int", "Calls the host n times.") {
    int64_t refused = 0;
    for (int64_t i = 0; i < n; i++) {
        refused += entangle_import_log_(9, "", 0) != 0;
    }
    return refused;
}

ENTANGLE_PLAIN(int64_t, forever, (void), "() -> int", "Does not end.") {
    for (volatile int64_t i = 0;; i++) {
    }
}

ENTANGLE_TASK(echo, "(text: string) -> string", "Returns its argument.") {
    entangle_text t = entangle_get_text(&args[0]);
    entangle_put_text(out, t.ptr, t.len);
}
