/* entangle.h: write Entangle tasks in C11 or C++.
 *
 * It is one header and needs no library but wasi-libc. Include it in as many files
 * of a module as you like. README.md beside it has an example and the reference;
 * ../../abi/README.md is the contract that it implements.
 *
 *     #include "entangle.h"
 *
 *     ENTANGLE_TASK(greet, "(name: string) -> string", "Says hello.") {
 *         entangle_text name = entangle_get_text(&args[0]);
 *         entangle_put_textf(out, "Hello, %.*s!", (int)name.len, name.ptr);
 *     }
 *
 * Memory: nothing here is ever freed. A call runs in an instance that nobody used
 * before and that is reset after it, so that freeing would be work for nothing.
 * Views (texts, bytes, arrays, values) are good until the call ends.
 *
 * Errors: what is wrong in a way that the task cannot mend (an argument of another
 * type, no memory, a result that is none) ends the call with a message that says
 * so. No function here returns an error code, entangle_decode excepted.
 *
 * Names that end in an underscore are not for you.
 */
#ifndef ENTANGLE_H
#define ENTANGLE_H

#include <stdint.h>

/* ---- The manifest ---------------------------------------------------------
 *
 * Every macro here adds a line to the custom section "entangle". The linker joins
 * the sections of all objects. The strings are written into assembly as they stand
 * in the source (that is what # does to a string literal), where \" \\ and octal
 * escapes mean the same as in C; \x and \u do not: write UTF-8 as it is.
 */

#define ENTANGLE_QUOTE_(...) #__VA_ARGS__
/* Two steps, so that a macro that stands for a string literal is replaced first. */
#define ENTANGLE_QUOTE(...) ENTANGLE_QUOTE_(__VA_ARGS__)

#ifdef __cplusplus
#define ENTANGLE_EXTERN_ extern "C"
#define ENTANGLE_ASSERT_(cond, msg) static_assert(cond, msg)
#else
#define ENTANGLE_EXTERN_
#define ENTANGLE_ASSERT_(cond, msg) _Static_assert(cond, msg)
#endif

/* A newline in it would end the line, and the rest would be another declaration. */
#define ENTANGLE_ONE_LINE_(text) \
    ENTANGLE_ASSERT_(__builtin_strchr(text, '\n') == 0, "a newline in the manifest's text")

#define ENTANGLE_LINE_(head, text, doc)                     \
    __asm__(".section .custom_section.entangle,\"\",@\n"    \
            ".ascii \"" head "\"\n"                         \
            ".ascii " text "\n"                             \
            ".ascii \" # \"\n"                              \
            ".ascii " doc "\n"                              \
            ".ascii \"\\n\"\n")

/* ENTANGLE_MODULE("doc") describes the module. */
#define ENTANGLE_MODULE(doc) \
    ENTANGLE_ONE_LINE_(doc); \
    ENTANGLE_LINE_("module", "\"\"", ENTANGLE_QUOTE(doc))

/* ENTANGLE_GRANT("fs:ro=/data", "doc") says what the module wants to be granted. */
#define ENTANGLE_GRANT(grant, doc) \
    ENTANGLE_ONE_LINE_(grant);     \
    ENTANGLE_ONE_LINE_(doc);       \
    ENTANGLE_LINE_("grant ", ENTANGLE_QUOTE(grant), ENTANGLE_QUOTE(doc))

/* ENTANGLE_PLAIN defines an export of numbers, which needs nothing of the rest of
 * this header, and documents it:
 *
 *     ENTANGLE_PLAIN(int64_t, add, (int64_t a, int64_t b), "(a: int, b: int) -> int",
 *                    "Adds two integers.") { return a + b; }
 *
 * int32_t is int32, int64_t int, float float32 and double float. In C the function
 * is entangle_plain_add, so that a task may be called div or floor.
 *
 * In a module of plain exports only, define ENTANGLE_PLAIN_ONLY before including
 * this header: no libc is needed then, and nothing else is exported.
 */
#define ENTANGLE_PLAIN(result, name, params, sig, doc)                       \
    ENTANGLE_ONE_LINE_(sig);                                                 \
    ENTANGLE_ONE_LINE_(doc);                                                 \
    ENTANGLE_LINE_("plain " #name, ENTANGLE_QUOTE(sig), ENTANGLE_QUOTE(doc)); \
    ENTANGLE_EXTERN_ __attribute__((export_name(#name))) result entangle_plain_##name params

#ifndef ENTANGLE_PLAIN_ONLY

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ENTANGLE_TASK defines a typed task. Its body sees
 *
 *     const entangle_value *args    the arguments, as many as the signature says
 *     uint32_t nargs                how many, for a task that takes any number
 *     entangle_writer *out          where to put the result; nothing put is null
 *
 * Options may follow the signature: "(n: int) -> int timeout=2s memory=64MiB".
 */
#define ENTANGLE_TASK(name, sig, doc)                                                   \
    ENTANGLE_ONE_LINE_(sig);                                                            \
    ENTANGLE_ONE_LINE_(doc);                                                            \
    ENTANGLE_LINE_("task " #name, ENTANGLE_QUOTE(sig), ENTANGLE_QUOTE(doc));             \
    static void entangle_task_##name(const entangle_value *args, uint32_t nargs,        \
                                     entangle_writer *out);                             \
    ENTANGLE_EXTERN_ __attribute__((export_name(#name))) int64_t                        \
    entangle_export_##name(uint8_t *data, uint32_t len) {                               \
        return entangle_run_(#name, sig, data, len, entangle_task_##name);              \
    }                                                                                   \
    static void entangle_task_##name(__attribute__((unused)) const entangle_value *args, \
                                     __attribute__((unused)) uint32_t nargs,            \
                                     __attribute__((unused)) entangle_writer *out)

/* Not every module uses all of this. */
#define ENTANGLE_FN_ __attribute__((unused)) static inline

/* ---- Values ---------------------------------------------------------------- */

enum { /* kinds */
    ENTANGLE_NULL,
    ENTANGLE_BOOL,
    ENTANGLE_INT,
    ENTANGLE_FLOAT,
    ENTANGLE_TEXT,
    ENTANGLE_BYTES,
    ENTANGLE_LIST,
    ENTANGLE_MAP,
    ENTANGLE_ARRAY,
};

typedef enum { /* element types of arrays */
    ENTANGLE_BOOLS = 1, /* a byte each, 0 or 1 */
    ENTANGLE_INT8,
    ENTANGLE_INT16,
    ENTANGLE_INT32,
    ENTANGLE_INT64,
    ENTANGLE_UINT8,
    ENTANGLE_UINT16,
    ENTANGLE_UINT32,
    ENTANGLE_UINT64,
    ENTANGLE_FLOAT16, /* a uint16_t each: see entangle_from_float16 */
    ENTANGLE_FLOAT32,
    ENTANGLE_FLOAT64,
} entangle_dtype;

#define ENTANGLE_MAX_RANK 32
#define ENTANGLE_MAX_DEPTH 64
#define ENTANGLE_MAX_ITEMS 8388608

/* A text is UTF-8 of a length: it may hold NULs and need not end with one. */
typedef struct {
    const char *ptr;
    size_t len;
} entangle_text;

typedef struct {
    const uint8_t *ptr;
    size_t len;
} entangle_bytes;

/* An array's elements are in row-major order (the last index varies fastest) and
 * aligned to their size. */
typedef struct {
    entangle_dtype dtype;
    uint32_t rank;         /* the number of dimensions; 0 is one element */
    const uint64_t *shape; /* rank dimensions */
    void *data;
    size_t count; /* elements */
    size_t size;  /* bytes */
} entangle_array;

/* A value, as decoded. Look at kind; get the rest with the functions below. */
typedef struct entangle_value {
    union {
        bool boolean;
        int64_t integer;
        double number;
        const uint8_t *bytes;
        const struct entangle_value *items;
        const struct entangle_entry *entries;
        const entangle_array *array;
    } as;
    uint32_t len; /* bytes, items or entries */
    uint8_t kind;
} entangle_value;

typedef struct entangle_entry {
    entangle_text key;
    entangle_value value;
} entangle_entry;

/* ---- Failing and logging ---------------------------------------------------- */

#ifdef __cplusplus
extern "C" {
#endif
__attribute__((import_module("entangle_v1"), import_name("fail")))
int32_t entangle_import_fail_(const void *ptr, uint32_t len);
__attribute__((import_module("entangle_v1"), import_name("log")))
int32_t entangle_import_log_(int32_t level, const void *ptr, uint32_t len);
#ifdef __cplusplus
}
#endif

/* entangle_fail_text ends the call with an error. It does not return. */
__attribute__((noreturn)) ENTANGLE_FN_ void entangle_fail_text(const char *ptr, size_t len) {
    entangle_import_fail_(ptr, (uint32_t)len);
    __builtin_trap();
}

/* entangle_fail ends the call with an error, its message formatted as printf does.
 * printf adds some 17 KiB to a module; entangle_fail_text does not. */
__attribute__((noreturn, format(printf, 1, 2))) ENTANGLE_FN_ void entangle_fail(const char *format, ...) {
    char message[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (n < 0) {
        entangle_fail_text(format, strlen(format));
    }
    if ((size_t)n >= sizeof message) {
        char *all = (char *)malloc((size_t)n + 1);
        if (all) {
            va_start(args, format);
            vsnprintf(all, (size_t)n + 1, format, args);
            va_end(args);
            entangle_fail_text(all, (size_t)n);
        }
        n = sizeof message - 1;
    }
    entangle_fail_text(message, (size_t)n);
}

/* entangle_fail_join_ is for this header's own messages: no printf for those who
 * do not use it. NULL ends the list. */
__attribute__((noreturn)) ENTANGLE_FN_ void entangle_fail_join_(const char *a, const char *b, const char *c,
                                                               const char *d) {
    char message[512];
    const char *parts[4] = {a, b, c, d};
    size_t n = 0;
    for (int i = 0; i < 4 && parts[i]; i++) {
        for (const char *p = parts[i]; *p && n < sizeof message; p++) {
            message[n++] = *p;
        }
    }
    entangle_fail_text(message, n);
}

/* entangle_decimal_ writes n into the end of buf, which holds 24, and returns
 * where it begins. */
ENTANGLE_FN_ const char *entangle_decimal_(char *buf, uint64_t n) {
    char *p = buf + 23;
    *p = 0;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return p;
}

enum { ENTANGLE_DEBUG, ENTANGLE_INFO, ENTANGLE_WARN, ENTANGLE_ERROR }; /* levels */

/* entangle_log_text writes a log line. */
ENTANGLE_FN_ void entangle_log_text(int level, const char *ptr, size_t len) {
    entangle_import_log_(level, ptr, (uint32_t)len);
}

/* entangle_log writes a log line, formatted as printf does; at most 1,023 bytes
 * of it. */
__attribute__((format(printf, 2, 3))) ENTANGLE_FN_ void entangle_log(int level, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n > 0) {
        entangle_log_text(level, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    }
}

/* entangle_new returns memory for count things of size bytes, aligned to 16, or
 * ends the call. */
ENTANGLE_FN_ void *entangle_new(size_t count, size_t size) {
    size_t bytes;
    void *p = NULL;
    if (!__builtin_mul_overflow(count, size, &bytes)) {
        p = malloc(bytes ? bytes : 1);
    }
    if (!p) {
        entangle_fail_join_("out of memory", NULL, NULL, NULL);
    }
    return p;
}

/* ---- Reading values --------------------------------------------------------- */

ENTANGLE_FN_ const char *entangle_kind_name(int kind) {
    static const char *const names[] = {"null", "bool", "int", "float", "string", "bytes", "list", "map", "array"};
    return kind >= 0 && kind < 9 ? names[kind] : "unknown";
}

ENTANGLE_FN_ const char *entangle_dtype_name(entangle_dtype t) {
    static const char *const names[] = {"unknown", "bool",   "int8",   "int16",   "int32",   "int64",  "uint8",
                                        "uint16",  "uint32", "uint64", "float16", "float32", "float64"};
    return t >= ENTANGLE_BOOLS && t <= ENTANGLE_FLOAT64 ? names[t] : names[0];
}

/* entangle_dtype_size returns the bytes of an element, or 0 where t is no type. */
ENTANGLE_FN_ size_t entangle_dtype_size(entangle_dtype t) {
    static const uint8_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8};
    return t >= ENTANGLE_BOOLS && t <= ENTANGLE_FLOAT64 ? sizes[t] : 0;
}

ENTANGLE_FN_ void entangle_want_(const entangle_value *v, int kind) {
    if (v->kind != kind) {
        entangle_fail_join_("want ", entangle_kind_name(kind), ", got ", entangle_kind_name(v->kind));
    }
}

ENTANGLE_FN_ bool entangle_is_null(const entangle_value *v) { return v->kind == ENTANGLE_NULL; }

ENTANGLE_FN_ bool entangle_get_bool(const entangle_value *v) {
    entangle_want_(v, ENTANGLE_BOOL);
    return v->as.boolean;
}

ENTANGLE_FN_ int64_t entangle_get_int(const entangle_value *v) {
    entangle_want_(v, ENTANGLE_INT);
    return v->as.integer;
}

/* entangle_get_float also takes an int that a double holds exactly, as the host
 * does where a float is declared. */
ENTANGLE_FN_ double entangle_get_float(const entangle_value *v) {
    if (v->kind == ENTANGLE_INT) {
        double f = (double)v->as.integer;
        /* 2^63 is beyond int64, and converting it back is undefined. */
        if (f < 0x1p63 && (int64_t)f == v->as.integer) {
            return f;
        }
    }
    entangle_want_(v, ENTANGLE_FLOAT);
    return v->as.number;
}

ENTANGLE_FN_ entangle_text entangle_get_text(const entangle_value *v) {
    entangle_want_(v, ENTANGLE_TEXT);
    entangle_text t = {(const char *)v->as.bytes, v->len};
    return t;
}

ENTANGLE_FN_ entangle_bytes entangle_get_bytes(const entangle_value *v) {
    entangle_want_(v, ENTANGLE_BYTES);
    entangle_bytes b = {v->as.bytes, v->len};
    return b;
}

ENTANGLE_FN_ const entangle_array *entangle_get_array(const entangle_value *v) {
    entangle_want_(v, ENTANGLE_ARRAY);
    return v->as.array;
}

/* entangle_get_data returns the elements of an array of type t, of any shape, and
 * puts their number into count, unless that is NULL. */
ENTANGLE_FN_ const void *entangle_get_data(const entangle_value *v, entangle_dtype t, size_t *count) {
    const entangle_array *a = entangle_get_array(v);
    if (a->dtype != t) {
        entangle_fail_join_("want an array of ", entangle_dtype_name(t), ", got one of ", entangle_dtype_name(a->dtype));
    }
    if (count) {
        *count = a->count;
    }
    return a->data;
}

/* entangle_len returns how many bytes a string or bytes have, items a list,
 * entries a map, elements an array. */
ENTANGLE_FN_ size_t entangle_len(const entangle_value *v) {
    if (v->kind == ENTANGLE_ARRAY) {
        return v->as.array->count;
    }
    return v->kind >= ENTANGLE_TEXT ? v->len : 0;
}

/* entangle_at returns item i of a list, in constant time. */
ENTANGLE_FN_ const entangle_value *entangle_at(const entangle_value *list, size_t i) {
    entangle_want_(list, ENTANGLE_LIST);
    if (i >= list->len) {
        entangle_fail_join_("an item beyond the end of a list", NULL, NULL, NULL);
    }
    return &list->as.items[i];
}

/* entangle_entry_at returns entry i of a map. They are sorted: shorter keys first,
 * then bytewise. */
ENTANGLE_FN_ const entangle_entry *entangle_entry_at(const entangle_value *map, size_t i) {
    entangle_want_(map, ENTANGLE_MAP);
    if (i >= map->len) {
        entangle_fail_join_("an entry beyond the end of a map", NULL, NULL, NULL);
    }
    return &map->as.entries[i];
}

/* entangle_compare_ orders keys as RFC 8949 §4.2.1 orders their encodings. */
ENTANGLE_FN_ int entangle_compare_(const void *a, size_t na, const void *b, size_t nb) {
    if (na != nb) {
        return na < nb ? -1 : 1;
    }
    return memcmp(a, b, na);
}

/* entangle_find_n returns the value under a key of len bytes, or NULL. */
ENTANGLE_FN_ const entangle_value *entangle_find_n(const entangle_value *map, const char *key, size_t len) {
    entangle_want_(map, ENTANGLE_MAP);
    size_t low = 0, high = map->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const entangle_entry *e = &map->as.entries[mid];
        int c = entangle_compare_(key, len, e->key.ptr, e->key.len);
        if (c == 0) {
            return &e->value;
        }
        if (c < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return NULL;
}

/* entangle_find returns the value under key, or NULL. */
ENTANGLE_FN_ const entangle_value *entangle_find(const entangle_value *map, const char *key) {
    return entangle_find_n(map, key, strlen(key));
}

/* entangle_must_find returns the value under key, or ends the call. */
ENTANGLE_FN_ const entangle_value *entangle_must_find(const entangle_value *map, const char *key) {
    const entangle_value *v = entangle_find(map, key);
    if (!v) {
        entangle_fail_join_("map without the key \"", key, "\"", NULL);
    }
    return v;
}

/* entangle_text_is reports whether t is the string s. */
ENTANGLE_FN_ bool entangle_text_is(entangle_text t, const char *s) {
    return strlen(s) == t.len && memcmp(t.ptr, s, t.len) == 0;
}

/* entangle_from_float16 widens an IEEE 754 binary16, exactly. */
ENTANGLE_FN_ double entangle_from_float16(uint16_t h) {
    uint64_t sign = (uint64_t)(h >> 15) << 63, frac = h & 0x3ff, bits;
    int exp = h >> 10 & 0x1f;
    if (exp == 0) {
        double f = (double)frac * 0x1p-24;
        return sign ? -f : f;
    }
    bits = sign | (uint64_t)(exp == 0x1f ? 0x7ff : exp - 15 + 1023) << 52 | frac << 42;
    double f;
    memcpy(&f, &bits, 8);
    return f;
}

/* entangle_to_float16 narrows f and reports whether that lost nothing. What is too
 * large becomes infinite; bits beyond the precision are cut off. */
ENTANGLE_FN_ bool entangle_to_float16(double f, uint16_t *h) {
    uint64_t bits;
    memcpy(&bits, &f, 8);
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
    int exp = (int)(bits >> 52 & 0x7ff), e = exp - 1023;
    uint64_t frac = bits & ((1ull << 52) - 1), lost = (1ull << 42) - 1;
    if (exp == 0x7ff) { /* infinite, or NaN, which stays one */
        *h = (uint16_t)(sign | 0x7c00 | frac >> 42 | (frac ? 0x200 : 0));
        return !(frac & lost);
    }
    if (exp == 0 && frac == 0) {
        *h = sign;
        return true;
    }
    if (e > 15) {
        *h = (uint16_t)(sign | 0x7c00);
        return false;
    }
    if (e >= -14) {
        *h = (uint16_t)(sign | (uint16_t)(e + 15) << 10 | frac >> 42);
        return !(frac & lost);
    }
    if (e >= -24) {
        unsigned shift = (unsigned)(42 - 14 - e);
        frac |= 1ull << 52;
        *h = (uint16_t)(sign | frac >> shift);
        return !(frac & ((1ull << shift) - 1));
    }
    *h = sign;
    return false;
}

/* entangle_utf8_ok reports whether len bytes are UTF-8 (RFC 3629: no surrogates,
 * nothing longer than need be). */
ENTANGLE_FN_ bool entangle_utf8_ok(const void *ptr, size_t len) {
    const uint8_t *p = (const uint8_t *)ptr, *end = p + len;
    while (p < end) {
        uint64_t eight;
        while (end - p >= 8 && (memcpy(&eight, p, 8), !(eight & 0x8080808080808080ull))) {
            p += 8;
        }
        if (p == end) {
            break;
        }
        uint8_t c = *p, low = 0x80, high = 0xbf;
        size_t more;
        if (c < 0x80) {
            p++;
            continue;
        } else if (c >= 0xc2 && c <= 0xdf) {
            more = 1;
        } else if (c >= 0xe0 && c <= 0xef) {
            more = 2;
            low = c == 0xe0 ? 0xa0 : 0x80;
            high = c == 0xed ? 0x9f : 0xbf;
        } else if (c >= 0xf0 && c <= 0xf4) {
            more = 3;
            low = c == 0xf0 ? 0x90 : 0x80;
            high = c == 0xf4 ? 0x8f : 0xbf;
        } else {
            return false;
        }
        if ((size_t)(end - p) <= more || p[1] < low || p[1] > high) {
            return false;
        }
        for (size_t i = 2; i <= more; i++) {
            if ((p[i] & 0xc0) != 0x80) {
                return false;
            }
        }
        p += more + 1;
    }
    return true;
}

/* ---- Sorting keys ------------------------------------------------------------ */

typedef struct {
    uint64_t prefix; /* the first 8 bytes: most comparisons need no more */
    const uint8_t *key;
    uint32_t len;
    uint32_t index; /* where it was */
} entangle_key_;

ENTANGLE_FN_ entangle_key_ entangle_make_key_(const void *ptr, size_t len, size_t index) {
    entangle_key_ k = {0, (const uint8_t *)ptr, (uint32_t)len, (uint32_t)index};
    for (size_t i = 0; i < 8; i++) {
        k.prefix = k.prefix << 8 | (i < len ? k.key[i] : 0);
    }
    return k;
}

ENTANGLE_FN_ int entangle_compare_keys_(const entangle_key_ *a, const entangle_key_ *b) {
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    return a->len > 8 ? memcmp(a->key + 8, b->key + 8, a->len - 8) : 0;
}

/* entangle_sort_keys_ sorts n keys, with room for as many, and returns which of the
 * two holds them. A merge sort: no input is slow. */
ENTANGLE_FN_ entangle_key_ *entangle_sort_keys_(entangle_key_ *keys, entangle_key_ *room, size_t n) {
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t mid = n - start < width ? n : start + width;
            size_t end = n - mid < width ? n : mid + width;
            size_t a = start, b = mid;
            for (size_t i = start; i < end; i++) {
                bool left = a < mid && (b == end || entangle_compare_keys_(&keys[a], &keys[b]) <= 0);
                room[i] = keys[left ? a++ : b++];
            }
        }
        entangle_key_ *t = keys;
        keys = room;
        room = t;
    }
    return keys;
}

/* ---- Decoding ----------------------------------------------------------------
 *
 * Strict, as abi/README.md says, and for bytes that anyone may have written: no
 * length is believed before the bytes for it are known to be there, sizes are
 * computed with checks, and depth and items are bounded, so memory is.
 */

typedef struct {
    uint8_t *base, *p, *end;
    uint32_t items; /* how many more are allowed */
    uint32_t depth; /* how many more levels are allowed */
    const char *reason;
    size_t at;
} entangle_decoder_;

ENTANGLE_FN_ bool entangle_refuse_(entangle_decoder_ *d, const uint8_t *at, const char *reason) {
    d->reason = reason;
    d->at = (size_t)(at - d->base);
    return false;
}

/* entangle_head_ reads an item's initial byte, as major type and the rest of it,
 * and its argument. */
ENTANGLE_FN_ bool entangle_head_(entangle_decoder_ *d, uint8_t *major, uint8_t *info, uint64_t *n) {
    uint8_t *start = d->p;
    if (start == d->end) {
        return entangle_refuse_(d, start, "value ends early");
    }
    *major = *start >> 5;
    *info = *start & 0x1f;
    if (*info > 27) {
        return entangle_refuse_(d, start, *info == 31 ? "indefinite length" : "reserved initial byte");
    }
    size_t size = *info < 24 ? 0 : (size_t)1 << (*info - 24);
    if ((size_t)(d->end - start) - 1 < size) {
        return entangle_refuse_(d, start, "value ends early");
    }
    *n = *info < 24 ? *info : 0;
    for (size_t i = 1; i <= size; i++) {
        *n = *n << 8 | start[i];
    }
    d->p = start + 1 + size;
    return true;
}

/* entangle_count_ checks that n items of at least size bytes each can follow. */
ENTANGLE_FN_ bool entangle_count_(entangle_decoder_ *d, const uint8_t *start, uint64_t n, size_t size) {
    if (n > (size_t)(d->end - d->p) / size) {
        return entangle_refuse_(d, start, "value ends early");
    }
    if (n > d->items) {
        return entangle_refuse_(d, start, "too many items");
    }
    d->items -= (uint32_t)n;
    return true;
}

ENTANGLE_FN_ bool entangle_item_(entangle_decoder_ *d, entangle_value *v);

ENTANGLE_FN_ bool entangle_read_list_(entangle_decoder_ *d, const uint8_t *start, uint64_t n, entangle_value *v) {
    if (!entangle_count_(d, start, n, 1)) {
        return false;
    }
    entangle_value *items = (entangle_value *)malloc((size_t)n * sizeof *items + 1);
    if (!items) {
        return entangle_refuse_(d, start, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        if (!entangle_item_(d, &items[i])) {
            return false;
        }
    }
    v->kind = ENTANGLE_LIST;
    v->len = (uint32_t)n;
    v->as.items = items;
    return true;
}

/* entangle_sort_entries_ puts entries in order and refuses a key that is there twice. */
ENTANGLE_FN_ bool entangle_sort_entries_(entangle_decoder_ *d, const uint8_t *start, entangle_entry **entries, size_t n) {
    entangle_key_ *keys = (entangle_key_ *)malloc(2 * n * sizeof *keys);
    entangle_entry *sorted = (entangle_entry *)malloc(n * sizeof *sorted);
    if (!keys || !sorted) {
        return entangle_refuse_(d, start, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        keys[i] = entangle_make_key_((*entries)[i].key.ptr, (*entries)[i].key.len, i);
    }
    keys = entangle_sort_keys_(keys, keys + n, n);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && entangle_compare_keys_(&keys[i - 1], &keys[i]) == 0) {
            return entangle_refuse_(d, start, "map with a key twice");
        }
        sorted[i] = (*entries)[keys[i].index];
    }
    *entries = sorted;
    return true;
}

ENTANGLE_FN_ bool entangle_read_map_(entangle_decoder_ *d, const uint8_t *start, uint64_t n, entangle_value *v) {
    if (!entangle_count_(d, start, n, 2)) {
        return false;
    }
    entangle_entry *entries = (entangle_entry *)malloc((size_t)n * sizeof *entries + 1);
    if (!entries) {
        return entangle_refuse_(d, start, "out of memory");
    }
    bool sorted = true;
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = d->p, major, info;
        uint64_t len;
        if (!entangle_head_(d, &major, &info, &len)) {
            return false;
        }
        if (major != 3) {
            return entangle_refuse_(d, at, "map key is not a string");
        }
        if (len > (size_t)(d->end - d->p)) {
            return entangle_refuse_(d, at, "value ends early");
        }
        entangle_text *key = &entries[i].key;
        key->ptr = (const char *)d->p;
        key->len = (size_t)len;
        d->p += len;
        if (!entangle_utf8_ok(key->ptr, key->len)) {
            return entangle_refuse_(d, at, "string is not valid UTF-8");
        }
        if (i > 0) {
            const entangle_text *before = &entries[i - 1].key;
            sorted = sorted && entangle_compare_(before->ptr, before->len, key->ptr, key->len) < 0;
        }
        if (!entangle_item_(d, &entries[i].value)) {
            return false;
        }
    }
    if (!sorted && !entangle_sort_entries_(d, start, &entries, (size_t)n)) {
        return false;
    }
    v->kind = ENTANGLE_MAP;
    v->len = (uint32_t)n;
    v->as.entries = entries;
    return true;
}

/* entangle_align_ returns size bytes at p in a place that is aligned to align: they
 * stay where they are, or move down into the room bytes before them, which have
 * been read (a large array therefore needs no second memory), or are copied. */
ENTANGLE_FN_ uint8_t *entangle_align_(uint8_t *p, size_t size, size_t align, size_t room) {
    size_t over = (uintptr_t)p % align;
    if (over == 0 || size == 0) {
        return p - over; /* of no bytes, any aligned address will do */
    }
    uint8_t *to = over <= room ? p - over : (uint8_t *)malloc(size);
    if (to) {
        memmove(to, p, size);
    }
    return to;
}

/* entangle_elements_ reads what follows the tag of an array's elements, which
 * stands at start. */
ENTANGLE_FN_ bool entangle_elements_(entangle_decoder_ *d, const uint8_t *start, uint64_t tag, entangle_array *a) {
    uint8_t major, info;
    uint64_t n;
    if (!entangle_head_(d, &major, &info, &n)) {
        return false;
    }
    if (tag == 41) {
        if (major != 4) {
            return entangle_refuse_(d, start, "tag 41 is not followed by a list of bools");
        }
        a->dtype = ENTANGLE_BOOLS;
    } else {
        /* The table of abi/README.md, by tag. */
        static const uint8_t dtypes[] = {ENTANGLE_UINT8, 0, 0, 0, 0, ENTANGLE_UINT16, ENTANGLE_UINT32, ENTANGLE_UINT64,
                                         ENTANGLE_INT8, 0, 0, 0, 0, ENTANGLE_INT16, ENTANGLE_INT32, ENTANGLE_INT64,
                                         0, 0, 0, 0, ENTANGLE_FLOAT16, ENTANGLE_FLOAT32, ENTANGLE_FLOAT64};
        if (tag < 64 || tag >= 64 + sizeof dtypes || !dtypes[tag - 64]) {
            return entangle_refuse_(d, start, "a tag that has no meaning here");
        }
        if (major != 2) {
            return entangle_refuse_(d, start, "typed array is not bytes");
        }
        a->dtype = (entangle_dtype)dtypes[tag - 64];
    }
    size_t size = entangle_dtype_size(a->dtype);
    if (n > (size_t)(d->end - d->p)) {
        return entangle_refuse_(d, start, "value ends early");
    }
    if (n % size != 0) {
        return entangle_refuse_(d, start, "typed array ends within an element");
    }
    uint8_t *data = d->p;
    d->p += n;
    if (a->dtype == ENTANGLE_BOOLS) {
        for (size_t i = 0; i < n; i++) {
            if (data[i] != 0xf4 && data[i] != 0xf5) {
                return entangle_refuse_(d, start, "tag 41 is not followed by a list of bools");
            }
            data[i] -= 0xf4;
        }
    }
    a->size = (size_t)n;
    a->count = (size_t)n / size;
    a->data = entangle_align_(data, a->size, size, (size_t)(data - start));
    return a->data || entangle_refuse_(d, start, "out of memory");
}

/* entangle_shape_ reads the shape of an array that is not of one dimension. */
ENTANGLE_FN_ bool entangle_shape_(entangle_decoder_ *d, const uint8_t *start, entangle_array *a, uint64_t *shape) {
    uint8_t major, info;
    uint64_t n;
    if (!entangle_head_(d, &major, &info, &n)) {
        return false;
    }
    if (major != 4 || n != 2) {
        return entangle_refuse_(d, start, "tag 40 is not followed by a shape and elements");
    }
    if (!entangle_head_(d, &major, &info, &n)) {
        return false;
    }
    if (major != 4 || n > ENTANGLE_MAX_RANK) {
        return entangle_refuse_(d, start, "shape is not a list of at most 32 dimensions");
    }
    if (n == 1) {
        return entangle_refuse_(d, start, "array of one dimension with a shape");
    }
    a->rank = (uint32_t)n;
    for (uint32_t i = 0; i < a->rank; i++) {
        uint8_t *at = d->p;
        if (!entangle_head_(d, &major, &info, &shape[i])) {
            return false;
        }
        if (major != 0 || shape[i] > INT64_MAX) {
            return entangle_refuse_(d, at, "dimension is not a natural number");
        }
    }
    return true;
}

/* entangle_shape_count_ computes how many elements a shape has, and reports whether
 * their size in bytes fits: a dimension of 0 does not excuse the others. */
ENTANGLE_FN_ bool entangle_shape_count_(const uint64_t *shape, uint32_t rank, size_t size, uint64_t *count) {
    *count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (__builtin_mul_overflow(*count, shape[i], count)) {
            return false;
        }
    }
    return *count <= SIZE_MAX / size;
}

ENTANGLE_FN_ bool entangle_read_array_(entangle_decoder_ *d, const uint8_t *start, uint64_t tag, entangle_value *v) {
    entangle_array *a = (entangle_array *)malloc(sizeof *a);
    uint64_t shape[ENTANGLE_MAX_RANK];
    if (!a) {
        return entangle_refuse_(d, start, "out of memory");
    }
    a->rank = 1;
    if (tag == 40) {
        uint8_t *at, major, info;
        uint64_t count;
        if (!entangle_shape_(d, start, a, shape)) {
            return false;
        }
        at = d->p;
        if (!entangle_head_(d, &major, &info, &tag)) {
            return false;
        }
        if (major != 6) {
            return entangle_refuse_(d, at, "tag 40 is not followed by a shape and elements");
        }
        if (!entangle_elements_(d, at, tag, a)) {
            return false;
        }
        if (!entangle_shape_count_(shape, a->rank, entangle_dtype_size(a->dtype), &count) || count != a->count) {
            return entangle_refuse_(d, start, "array whose data does not fit its shape");
        }
    } else {
        if (!entangle_elements_(d, start, tag, a)) {
            return false;
        }
        shape[0] = a->count;
    }
    uint64_t *kept = (uint64_t *)malloc(a->rank * sizeof *kept + 1);
    if (!kept) {
        return entangle_refuse_(d, start, "out of memory");
    }
    memcpy(kept, shape, a->rank * sizeof *kept);
    a->shape = kept;
    v->kind = ENTANGLE_ARRAY;
    v->as.array = a;
    return true;
}

ENTANGLE_FN_ bool entangle_item_(entangle_decoder_ *d, entangle_value *v) {
    uint8_t *start = d->p, major, info;
    uint64_t n;
    bool ok;
    memset(v, 0, sizeof *v);
    if (!entangle_head_(d, &major, &info, &n)) {
        return false;
    }
    switch (major) {
    case 0:
    case 1:
        if (n > INT64_MAX) {
            return entangle_refuse_(d, start, "integer beyond int64");
        }
        v->kind = ENTANGLE_INT;
        v->as.integer = major == 0 ? (int64_t)n : -1 - (int64_t)n;
        return true;
    case 2:
    case 3:
        if (n > (size_t)(d->end - d->p)) {
            return entangle_refuse_(d, start, "value ends early");
        }
        v->kind = major == 2 ? ENTANGLE_BYTES : ENTANGLE_TEXT;
        v->as.bytes = d->p;
        v->len = (uint32_t)n;
        d->p += n;
        return major == 2 || entangle_utf8_ok(v->as.bytes, v->len) ||
               entangle_refuse_(d, start, "string is not valid UTF-8");
    case 7:
        switch (info) {
        case 20:
        case 21:
            v->kind = ENTANGLE_BOOL;
            v->as.boolean = info == 21;
            return true;
        case 22:
            v->kind = ENTANGLE_NULL;
            return true;
        case 25:
            v->as.number = entangle_from_float16((uint16_t)n);
            break;
        case 26: {
            uint32_t bits = (uint32_t)n;
            float f;
            memcpy(&f, &bits, 4);
            v->as.number = f;
            break;
        }
        case 27:
            memcpy(&v->as.number, &n, 8);
            break;
        default:
            return entangle_refuse_(d, start, "undefined or unknown simple value");
        }
        v->kind = ENTANGLE_FLOAT;
        return true;
    }
    if (d->depth == 0) {
        return entangle_refuse_(d, start, "nested deeper than 64 levels");
    }
    d->depth--;
    ok = major == 4   ? entangle_read_list_(d, start, n, v)
         : major == 5 ? entangle_read_map_(d, start, n, v)
                      : entangle_read_array_(d, start, n, v);
    d->depth++;
    return ok;
}

ENTANGLE_FN_ bool entangle_decode_(uint8_t *data, size_t len, uint32_t depth, entangle_value *v,
                                   const char **why, size_t *at) {
    entangle_decoder_ d = {data, data, data + len, ENTANGLE_MAX_ITEMS, depth, NULL, 0};
    bool ok = entangle_item_(&d, v);
    if (ok && d.p != d.end) {
        ok = entangle_refuse_(&d, d.p, "bytes follow the value");
    }
    *why = d.reason;
    *at = d.at;
    return ok;
}

/* entangle_decode decodes the one value that len bytes encode. The value refers to
 * them, and they are rewritten in part (elements move to where they are aligned).
 * On bytes that are no value it returns false and says why, and at which byte. */
ENTANGLE_FN_ bool entangle_decode(uint8_t *data, size_t len, entangle_value *v, const char **why, size_t *at) {
    return entangle_decode_(data, len, ENTANGLE_MAX_DEPTH, v, why, at);
}

/* ---- Writing a result ----------------------------------------------------------
 *
 * A writer is one buffer that grows. What is put is encoded at once, in RFC 8949's
 * core deterministic encoding: equal values have equal bytes. Lists and maps are
 * begun, filled and ended:
 *
 *     entangle_begin_map(out, ENTANGLE_UNKNOWN);
 *     entangle_put_key(out, "name");
 *     entangle_put_string(out, "Ada");
 *     entangle_put_key(out, "born");
 *     entangle_put_int(out, 1815);
 *     entangle_end(out);
 *
 * Keys may come in any order; they are sorted when the map ends (in order, they
 * need not be). What makes no value ends the call: a second result, a value
 * without a key, a key twice, text that is not UTF-8, a list that is not ended.
 */

#define ENTANGLE_UNKNOWN SIZE_MAX

typedef struct {
    size_t head;    /* where the list's or map's initial byte is */
    size_t content; /* where its first item is */
    size_t count;   /* items so far */
    size_t want;    /* items in all, or ENTANGLE_UNKNOWN */
    size_t keys;    /* of a map: its first key in writer.keys */
    bool map, sorted, has_key;
} entangle_frame_;

typedef struct {
    uint8_t *data;
    size_t start; /* the value begins here: at 0, but for entangle_put_space */
    size_t len, cap;
    uint32_t *keys; /* of the maps that are open: where their keys begin */
    size_t nkeys, keys_cap;
    size_t depth;
    entangle_frame_ frames[ENTANGLE_MAX_DEPTH];
} entangle_writer;

/* entangle_writer_init makes w empty. Tasks are given theirs; this is for values
 * inside of bytes, and for tests. */
ENTANGLE_FN_ void entangle_writer_init(entangle_writer *w) {
    w->data = NULL;
    w->keys = NULL;
    w->start = w->len = w->cap = w->nkeys = w->keys_cap = w->depth = 0;
}

/* entangle_room_ makes room for n more bytes and returns where they go. */
ENTANGLE_FN_ uint8_t *entangle_room_(entangle_writer *w, size_t n) {
    if (n > w->cap - w->len) {
        size_t need, cap;
        /* Twice as much, so that bytes are copied once on average; where there is
         * not as much memory, what is needed. */
        if (!__builtin_add_overflow(w->len, n, &need)) {
            cap = w->cap > SIZE_MAX / 2 ? need : w->cap * 2 < 256 ? 256 : w->cap * 2;
            uint8_t *data = (uint8_t *)realloc(w->data, cap < need ? cap = need : cap);
            if (!data && cap > need) {
                data = (uint8_t *)realloc(w->data, cap = need);
            }
            if (data) {
                w->data = data;
                w->cap = cap;
                return w->data + w->len;
            }
        }
        entangle_fail_join_("out of memory for the result", NULL, NULL, NULL);
    }
    return w->data + w->len;
}

/* entangle_write_head_ writes an initial byte and an argument at p, as short as
 * they go, and returns how many bytes they are: 9 at most. */
ENTANGLE_FN_ size_t entangle_write_head_(uint8_t *p, uint8_t major, uint64_t n) {
    uint8_t info = 0;
    size_t size = 0;
    if (n < 24) {
        p[0] = (uint8_t)(major << 5 | n);
        return 1;
    }
    while (size = (size_t)1 << info, size < 8 && n >> (8 * size)) {
        info++;
    }
    p[0] = (uint8_t)(major << 5 | (24 + info));
    for (size_t i = 0; i < size; i++) {
        p[size - i] = (uint8_t)(n >> (8 * i));
    }
    return 1 + size;
}

ENTANGLE_FN_ void entangle_put_head_(entangle_writer *w, uint8_t major, uint64_t n) {
    w->len += entangle_write_head_(entangle_room_(w, 9), major, n);
}

/* entangle_begin_value_ checks that a value may stand here, and counts it. */
ENTANGLE_FN_ void entangle_begin_value_(entangle_writer *w) {
    if (w->depth == 0) {
        if (w->len > 0) {
            entangle_fail_join_("a second result: put several into a list", NULL, NULL, NULL);
        }
        return;
    }
    entangle_frame_ *f = &w->frames[w->depth - 1];
    if (f->map && !f->has_key) {
        entangle_fail_join_("a value in a map without a key", NULL, NULL, NULL);
    }
    f->has_key = false;
    f->count++;
}

ENTANGLE_FN_ void entangle_put_byte_(entangle_writer *w, uint8_t b) {
    entangle_begin_value_(w);
    *entangle_room_(w, 1) = b;
    w->len++;
}

ENTANGLE_FN_ void entangle_put_null(entangle_writer *w) { entangle_put_byte_(w, 0xf6); }

ENTANGLE_FN_ void entangle_put_bool(entangle_writer *w, bool b) { entangle_put_byte_(w, b ? 0xf5 : 0xf4); }

ENTANGLE_FN_ void entangle_put_int(entangle_writer *w, int64_t i) {
    entangle_begin_value_(w);
    entangle_put_head_(w, i < 0, (uint64_t)(i < 0 ? ~i : i));
}

ENTANGLE_FN_ void entangle_put_float(entangle_writer *w, double f) {
    uint64_t bits;
    size_t size = 8;
    uint16_t half;
    entangle_begin_value_(w);
    if (f != f) { /* every NaN is the same one on the wire */
        bits = 0x7e00;
        size = 2;
    } else if (entangle_to_float16(f, &half)) {
        bits = half;
        size = 2;
    } else if (f >= -0x1.fffffep127 && f <= 0x1.fffffep127 && (double)(float)f == f) {
        float single = (float)f;
        uint32_t low;
        memcpy(&low, &single, 4);
        bits = low;
        size = 4;
    } else {
        memcpy(&bits, &f, 8);
    }
    uint8_t *p = entangle_room_(w, 1 + size);
    p[0] = size == 2 ? 0xf9 : size == 4 ? 0xfa : 0xfb;
    for (size_t i = 0; i < size; i++) {
        p[size - i] = (uint8_t)(bits >> (8 * i));
    }
    w->len += 1 + size;
}

ENTANGLE_FN_ void entangle_put_run_(entangle_writer *w, uint8_t major, const void *ptr, size_t len) {
    if (major == 3 && !entangle_utf8_ok(ptr, len)) {
        entangle_fail_join_("a string that is not valid UTF-8: put it as bytes", NULL, NULL, NULL);
    }
    entangle_put_head_(w, major, len);
    if (len > 0) {
        memcpy(entangle_room_(w, len), ptr, len);
        w->len += len;
    }
}

/* entangle_put_text puts a string of len bytes. */
ENTANGLE_FN_ void entangle_put_text(entangle_writer *w, const char *ptr, size_t len) {
    entangle_begin_value_(w);
    entangle_put_run_(w, 3, ptr, len);
}

/* entangle_put_string puts a string that ends with a NUL, which is no part of it. */
ENTANGLE_FN_ void entangle_put_string(entangle_writer *w, const char *s) { entangle_put_text(w, s, strlen(s)); }

/* entangle_put_textf puts a string, formatted as printf does. */
__attribute__((format(printf, 2, 3))) ENTANGLE_FN_ void entangle_put_textf(entangle_writer *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        entangle_fail_join_("a format that printf refuses: ", format, NULL, NULL);
    }
    char *s = (char *)entangle_new((size_t)n + 1, 1);
    va_start(args, format);
    vsnprintf(s, (size_t)n + 1, format, args);
    va_end(args);
    entangle_put_text(w, s, (size_t)n);
    free(s);
}

ENTANGLE_FN_ void entangle_put_bytes(entangle_writer *w, const void *ptr, size_t len) {
    entangle_begin_value_(w);
    entangle_put_run_(w, 2, ptr, len);
}

ENTANGLE_FN_ void entangle_begin_(entangle_writer *w, bool map, size_t n) {
    entangle_begin_value_(w);
    if (w->depth == ENTANGLE_MAX_DEPTH) {
        entangle_fail_join_("a result nested deeper than 64 levels", NULL, NULL, NULL);
    }
    entangle_frame_ *f = &w->frames[w->depth++];
    f->head = w->len;
    /* A head of unknown size takes one byte for now. */
    entangle_put_head_(w, map ? 5 : 4, n == ENTANGLE_UNKNOWN ? 0 : n);
    f->content = w->len;
    f->count = 0;
    f->want = n;
    f->keys = w->nkeys;
    f->map = map;
    f->sorted = true;
    f->has_key = false;
}

/* entangle_begin_list begins a list of n items, or of ENTANGLE_UNKNOWN many (which
 * costs a move of its bytes when it ends, if it has more than 23). */
ENTANGLE_FN_ void entangle_begin_list(entangle_writer *w, size_t n) { entangle_begin_(w, false, n); }

/* entangle_begin_map begins a map of n entries, or of ENTANGLE_UNKNOWN many. */
ENTANGLE_FN_ void entangle_begin_map(entangle_writer *w, size_t n) { entangle_begin_(w, true, n); }

/* entangle_key_at_ finds the key whose encoding begins at off, which this writer
 * wrote. */
ENTANGLE_FN_ entangle_text entangle_key_at_(const entangle_writer *w, size_t off) {
    const uint8_t *p = w->data + off;
    uint8_t info = *p & 0x1f;
    size_t size = info < 24 ? 0 : (size_t)1 << (info - 24), len = info < 24 ? info : 0;
    for (size_t i = 1; i <= size; i++) {
        len = len << 8 | p[i];
    }
    entangle_text t = {(const char *)p + 1 + size, len};
    return t;
}

/* entangle_put_key_n puts a key of len bytes; its value is put next. */
ENTANGLE_FN_ void entangle_put_key_n(entangle_writer *w, const char *key, size_t len) {
    entangle_frame_ *f = w->depth ? &w->frames[w->depth - 1] : NULL;
    if (!f || !f->map || f->has_key) {
        entangle_fail_join_("a key where none can stand", NULL, NULL, NULL);
    }
    if (w->nkeys == w->keys_cap) {
        size_t cap = w->keys_cap < 16 ? 16 : w->keys_cap * 2;
        uint32_t *keys = cap > SIZE_MAX / sizeof *keys ? NULL : (uint32_t *)realloc(w->keys, cap * sizeof *keys);
        if (!keys) {
            entangle_fail_join_("out of memory for the result", NULL, NULL, NULL);
        }
        w->keys = keys;
        w->keys_cap = cap;
    }
    size_t off = w->len;
    entangle_put_run_(w, 3, key, len);
    if (f->sorted && w->nkeys > f->keys) {
        entangle_text before = entangle_key_at_(w, w->keys[w->nkeys - 1]), now = entangle_key_at_(w, off);
        f->sorted = entangle_compare_(before.ptr, before.len, now.ptr, now.len) < 0;
    }
    w->keys[w->nkeys++] = (uint32_t)off;
    f->has_key = true;
}

ENTANGLE_FN_ void entangle_put_key(entangle_writer *w, const char *key) { entangle_put_key_n(w, key, strlen(key)); }

/* entangle_sort_map_ puts the entries of the map f, which are the last bytes of w,
 * in order. */
ENTANGLE_FN_ void entangle_sort_map_(entangle_writer *w, const entangle_frame_ *f) {
    size_t n = w->nkeys - f->keys, size = w->len - f->content;
    const uint32_t *offs = w->keys + f->keys;
    entangle_key_ *memory = (entangle_key_ *)entangle_new(n, 2 * sizeof *memory);
    uint8_t *content = (uint8_t *)entangle_new(size, 1), *to = w->data + f->content;
    memcpy(content, to, size);
    for (size_t i = 0; i < n; i++) {
        entangle_text key = entangle_key_at_(w, offs[i]);
        memory[i] = entangle_make_key_(content + ((const uint8_t *)key.ptr - to), key.len, i);
    }
    entangle_key_ *keys = entangle_sort_keys_(memory, memory + n, n);
    for (size_t i = 0; i < n; i++) {
        size_t k = keys[i].index, begin = offs[k], end = k + 1 < n ? offs[k + 1] : w->len;
        if (i > 0 && entangle_compare_keys_(&keys[i - 1], &keys[i]) == 0) {
            entangle_fail_join_("a map with a key twice", NULL, NULL, NULL);
        }
        memcpy(to, content + (begin - f->content), end - begin);
        to += end - begin;
    }
    free(content);
    free(memory);
}

/* entangle_end ends the list or the map that was begun last. */
ENTANGLE_FN_ void entangle_end(entangle_writer *w) {
    if (w->depth == 0) {
        entangle_fail_join_("an end without a begin", NULL, NULL, NULL);
    }
    entangle_frame_ *f = &w->frames[--w->depth];
    if (f->has_key) {
        entangle_fail_join_("a key without a value", NULL, NULL, NULL);
    }
    if (f->want != ENTANGLE_UNKNOWN && f->want != f->count) {
        char a[24], b[24];
        entangle_fail_join_("announced a size of ", entangle_decimal_(a, f->want), ", put ", entangle_decimal_(b, f->count));
    }
    if (!f->sorted) {
        entangle_sort_map_(w, f);
    }
    w->nkeys = f->keys;
    if (f->want == ENTANGLE_UNKNOWN) {
        uint8_t head[9];
        size_t n = entangle_write_head_(head, f->map ? 5 : 4, f->count), size = w->len - f->content;
        entangle_room_(w, n - 1);
        if (n > 1) {
            memmove(w->data + f->head + n, w->data + f->content, size);
        }
        memcpy(w->data + f->head, head, n);
        w->len += n - 1;
    }
}

/* entangle_put_array_head_ writes all of an array but its elements, and returns
 * how many bytes those take. */
ENTANGLE_FN_ size_t entangle_put_array_head_(entangle_writer *w, entangle_dtype t, uint32_t rank, const uint64_t *shape) {
    /* The table of abi/README.md, by element type. */
    static const uint8_t tags[] = {0, 41, 72, 77, 78, 79, 64, 69, 70, 71, 84, 85, 86};
    size_t size = entangle_dtype_size(t);
    uint64_t count;
    if (size == 0 || rank > ENTANGLE_MAX_RANK) {
        entangle_fail_join_("an array of no element type, or of more than 32 dimensions", NULL, NULL, NULL);
    }
    if (!entangle_shape_count_(shape, rank, size, &count)) {
        entangle_fail_join_("an array too large for memory", NULL, NULL, NULL);
    }
    if (w->depth == ENTANGLE_MAX_DEPTH) {
        entangle_fail_join_("a result nested deeper than 64 levels", NULL, NULL, NULL);
    }
    if (rank != 1) { /* one dimension needs no shape: its length says it */
        entangle_put_head_(w, 6, 40);
        entangle_put_head_(w, 4, 2);
        entangle_put_head_(w, 4, rank);
        for (uint32_t i = 0; i < rank; i++) {
            entangle_put_head_(w, 0, shape[i]);
        }
    }
    entangle_put_head_(w, 6, tags[t]);
    entangle_put_head_(w, t == ENTANGLE_BOOLS ? 4 : 2, count * size);
    return (size_t)count * size;
}

/* entangle_put_array puts an array of rank dimensions. A rank of 1 is a vector, of 0
 * a single element. */
ENTANGLE_FN_ void entangle_put_array(entangle_writer *w, entangle_dtype t, uint32_t rank, const uint64_t *shape,
                                     const void *data) {
    entangle_begin_value_(w);
    size_t size = entangle_put_array_head_(w, t, rank, shape);
    uint8_t *to = entangle_room_(w, size);
    if (t == ENTANGLE_BOOLS) {
        for (size_t i = 0; i < size; i++) {
            to[i] = ((const uint8_t *)data)[i] ? 0xf5 : 0xf4;
        }
    } else if (size > 0) {
        memcpy(to, data, size);
    }
    w->len += size;
}

/* entangle_put_vector puts an array of one dimension. */
ENTANGLE_FN_ void entangle_put_vector(entangle_writer *w, entangle_dtype t, const void *data, size_t count) {
    uint64_t n = count;
    entangle_put_array(w, t, 1, &n, data);
}

/* entangle_put_space puts an array and returns where its elements are, for the task
 * to write them there: no copy is made. They hold anything before. The place is good
 * until the next thing is put. Types of more than one byte are aligned, which can
 * be done only where the array is the whole result; bools cannot be put so. */
ENTANGLE_FN_ void *entangle_put_space(entangle_writer *w, entangle_dtype t, uint32_t rank, const uint64_t *shape) {
    if (t == ENTANGLE_BOOLS || (entangle_dtype_size(t) > 1 && w->depth > 0)) {
        entangle_fail_join_("no space for an array within a result, or of bools: use entangle_put_array", NULL, NULL, NULL);
    }
    entangle_begin_value_(w);
    size_t size = entangle_put_array_head_(w, t, rank, shape);
    if (w->depth == 0) {
        /* malloc aligns the buffer; move the head so that its end is aligned too. */
        size_t gap = (size_t)-w->len % 8;
        entangle_room_(w, gap);
        memmove(w->data + gap, w->data, w->len);
        w->start = gap;
        w->len += gap;
    }
    uint8_t *to = entangle_room_(w, size);
    w->len += size;
    return to;
}

/* entangle_put_value puts a value that was decoded. */
ENTANGLE_FN_ void entangle_put_value(entangle_writer *w, const entangle_value *v) {
    switch (v->kind) {
    case ENTANGLE_BOOL:
        entangle_put_bool(w, v->as.boolean);
        return;
    case ENTANGLE_INT:
        entangle_put_int(w, v->as.integer);
        return;
    case ENTANGLE_FLOAT:
        entangle_put_float(w, v->as.number);
        return;
    case ENTANGLE_TEXT:
        entangle_put_text(w, (const char *)v->as.bytes, v->len);
        return;
    case ENTANGLE_BYTES:
        entangle_put_bytes(w, v->as.bytes, v->len);
        return;
    case ENTANGLE_LIST:
        entangle_begin_list(w, v->len);
        for (size_t i = 0; i < v->len; i++) {
            entangle_put_value(w, &v->as.items[i]);
        }
        entangle_end(w);
        return;
    case ENTANGLE_MAP:
        entangle_begin_map(w, v->len);
        for (size_t i = 0; i < v->len; i++) {
            entangle_put_key_n(w, v->as.entries[i].key.ptr, v->as.entries[i].key.len);
            entangle_put_value(w, &v->as.entries[i].value);
        }
        entangle_end(w);
        return;
    case ENTANGLE_ARRAY: {
        const entangle_array *a = v->as.array;
        entangle_put_array(w, a->dtype, a->rank, a->shape, a->data);
        return;
    }
    default:
        entangle_put_null(w);
    }
}

/* ---- Calls ---------------------------------------------------------------------- */

typedef void (*entangle_body_)(const entangle_value *args, uint32_t nargs, entangle_writer *out);

/* entangle_finish_ returns a writer's value as a task returns it. */
ENTANGLE_FN_ int64_t entangle_finish_(entangle_writer *w) {
    if (w->depth > 0) {
        entangle_fail_join_("a list or a map in the result is not ended", NULL, NULL, NULL);
    }
    return (int64_t)((uint64_t)(uintptr_t)(w->data + w->start) << 32 | (uint32_t)(w->len - w->start));
}

/* entangle_run_ is a call: arguments in, result out. It trusts the caller with
 * nothing but that data is len bytes of this memory. */
ENTANGLE_FN_ int64_t entangle_run_(const char *name, const char *sig, uint8_t *data, uint32_t len, entangle_body_ body) {
    entangle_value args;
    const char *why;
    size_t at;
    uint32_t params = 0;
    bool variadic = false;
    char number[24];
    if (!entangle_decode_(data, len, ENTANGLE_MAX_DEPTH + 1, &args, &why, &at)) { /* the list is one */
        entangle_fail_join_("the arguments do not decode: ", why, " at byte ", entangle_decimal_(number, at));
    }
    entangle_want_(&args, ENTANGLE_LIST);
    /* A body may then use args[i] for each parameter: every one has a colon, and
     * nothing else in a signature has. */
    for (const char *p = sig; *p; p++) {
        params += *p == ':';
        variadic = variadic || *p == '.';
        if (*p == ')') {
            break;
        }
    }
    if (variadic ? args.len + 1 < params : args.len != params) {
        entangle_fail_join_("wrong number of arguments: want ", name, sig, NULL);
    }
    entangle_writer out;
    entangle_writer_init(&out);
    body(args.as.items, args.len, &out);
    return entangle_finish_(&out);
}

/* The host asks here for memory for the arguments. Weak, so that the linker keeps
 * one of them where several files include this header. */
ENTANGLE_EXTERN_ __attribute__((weak, export_name("entangle_alloc"))) void *entangle_alloc(uint32_t size) {
    return malloc(size ? size : 1); /* wasi-libc's malloc aligns to 16 */
}

#endif /* ENTANGLE_PLAIN_ONLY */
#endif /* ENTANGLE_H */
