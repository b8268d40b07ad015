/* The module of sdk_test.go: every part of entangle.h once. */
#include "entangle.h"

#include <assert.h>

ENTANGLE_MODULE("Tests the \"C SDK\" \\ and its docs.");
ENTANGLE_GRANT("fs:ro=/data", "Never used.");

ENTANGLE_PLAIN(int64_t, add, (int64_t a, int64_t b), "(a: int, b: int) -> int", "Adds.") { return a + b; }

ENTANGLE_TASK(same, "(x: any) -> any", "Returns its argument.") { entangle_put_value(out, &args[0]); }

ENTANGLE_TASK(inner, "(data: bytes) -> bytes", "Decodes bytes, and encodes what they hold.") {
    entangle_bytes b = entangle_get_bytes(&args[0]);
    /* A copy that ends where memory that may be written to ends is not to be had;
     * one that has no byte more than it needs is. */
    uint8_t *copy = (uint8_t *)entangle_new(b.len, 1);
    memcpy(copy, b.ptr, b.len);
    entangle_value v;
    const char *why;
    size_t at;
    if (!entangle_decode(copy, b.len, &v, &why, &at)) {
        entangle_fail("%s at byte %zu", why, at);
    }
    entangle_writer w;
    entangle_writer_init(&w);
    entangle_put_value(&w, &v);
    entangle_put_bytes(out, w.data + w.start, w.len - w.start);
}

ENTANGLE_TASK(nothing, "()", "Returns null.") {}

ENTANGLE_TASK(sum, "(xs: array[float64], rest: any...) -> float", "Sums elements.") {
    size_t n;
    const double *xs = (const double *)entangle_get_data(&args[0], ENTANGLE_FLOAT64, &n);
    if ((uintptr_t)xs % sizeof *xs) {
        entangle_fail("elements at %p are not aligned", (const void *)xs);
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += xs[i];
    }
    entangle_put_float(out, sum + nargs - 1);
}

ENTANGLE_TASK(iota, "(rows: int, columns: int) -> array[float64]", "Counts, in the result's own memory.") {
    uint64_t shape[2] = {(uint64_t)entangle_get_int(&args[0]), (uint64_t)entangle_get_int(&args[1])};
    double *xs = (double *)entangle_put_space(out, ENTANGLE_FLOAT64, 2, shape);
    if ((uintptr_t)xs % sizeof *xs) {
        entangle_fail("elements at %p are not aligned", (void *)xs);
    }
    for (uint64_t i = 0; i < shape[0] * shape[1]; i++) {
        xs[i] = (double)i;
    }
}

ENTANGLE_TASK(squares, "(n: int) -> map", "Builds a map, out of order and of unknown size, with lists in it.") {
    int64_t n = entangle_get_int(&args[0]);
    entangle_begin_map(out, ENTANGLE_UNKNOWN);
    for (int64_t i = n; i-- > 0;) {
        char key[32];
        int len = snprintf(key, sizeof key, "a longer key: %d", (int)i);
        entangle_put_key_n(out, key, (size_t)len);
        entangle_begin_list(out, i % 2 ? 2 : ENTANGLE_UNKNOWN);
        entangle_put_int(out, i);
        entangle_begin_map(out, 2);
        entangle_put_key(out, "square");
        entangle_put_int(out, i * i);
        entangle_put_key(out, "odd");
        entangle_put_bool(out, i % 2);
        entangle_end(out);
        entangle_end(out);
    }
    entangle_end(out);
}

ENTANGLE_TASK(lookup, "(m: map, keys: list[string]) -> list", "Looks keys up.") {
    size_t n = entangle_len(&args[1]);
    entangle_begin_list(out, n);
    for (size_t i = 0; i < n; i++) {
        entangle_text key = entangle_get_text(entangle_at(&args[1], i));
        const entangle_value *v = entangle_find_n(&args[0], key.ptr, key.len);
        if (v) {
            entangle_put_value(out, v);
        } else {
            entangle_put_null(out);
        }
    }
    entangle_end(out);
}

ENTANGLE_TASK(wrong, "(how: string, x: any) -> any", "Does what must not be done.") {
    entangle_text how = entangle_get_text(&args[0]);
    const entangle_value *x = &args[1];
    if (entangle_text_is(how, "fail")) {
        entangle_fail("no %s: %d", "luck", 7);
    } else if (entangle_text_is(how, "fail long")) {
        entangle_fail("%05000d", 7);
    } else if (entangle_text_is(how, "log")) {
        entangle_log(ENTANGLE_WARN, "x is %s", entangle_kind_name(x->kind));
    } else if (entangle_text_is(how, "assert")) {
        assert(x->kind == ENTANGLE_MAP && "x must be a map");
    } else if (entangle_text_is(how, "abort")) {
        abort();
    } else if (entangle_text_is(how, "int")) {
        entangle_put_int(out, entangle_get_int(x));
    } else if (entangle_text_is(how, "float")) {
        entangle_put_float(out, entangle_get_float(x));
    } else if (entangle_text_is(how, "array")) {
        entangle_get_data(x, ENTANGLE_INT8, NULL);
    } else if (entangle_text_is(how, "at")) {
        entangle_at(x, 3);
    } else if (entangle_text_is(how, "key")) {
        entangle_must_find(x, "colour");
    } else if (entangle_text_is(how, "two results")) {
        entangle_put_int(out, 1);
        entangle_put_int(out, 2);
    } else if (entangle_text_is(how, "no key")) {
        entangle_begin_map(out, 1);
        entangle_put_int(out, 1);
    } else if (entangle_text_is(how, "no value")) {
        entangle_begin_map(out, 1);
        entangle_put_key(out, "a");
        entangle_end(out);
    } else if (entangle_text_is(how, "key twice")) {
        entangle_begin_map(out, ENTANGLE_UNKNOWN);
        for (int i = 0; i < 3; i++) {
            entangle_put_key(out, i == 1 ? "b" : "a");
            entangle_put_null(out);
        }
        entangle_end(out);
    } else if (entangle_text_is(how, "no end")) {
        entangle_begin_list(out, 0);
    } else if (entangle_text_is(how, "no begin")) {
        entangle_end(out);
    } else if (entangle_text_is(how, "wrong size")) {
        entangle_begin_list(out, 2);
        entangle_put_null(out);
        entangle_end(out);
    } else if (entangle_text_is(how, "not UTF-8")) {
        entangle_put_string(out, "\xc3(");
    } else if (entangle_text_is(how, "deep")) {
        for (int i = 0; i < 65; i++) {
            entangle_begin_list(out, 1);
        }
    } else if (entangle_text_is(how, "huge array")) {
        uint64_t shape[2] = {1ull << 33, 1ull << 33};
        entangle_put_space(out, ENTANGLE_FLOAT64, 2, shape);
    } else if (entangle_text_is(how, "no memory")) {
        uint64_t shape = 0xfff00000;
        entangle_put_space(out, ENTANGLE_UINT8, 1, &shape);
    }
}
