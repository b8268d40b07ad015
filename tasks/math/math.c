//go:build ignore
// (for the Go tools: this is no part of the package of math_test.go)

/* Numbers: plain exports, with no SDK at run time, no libc and no import.
 *
 * Ints are int64 and wrap around, as the instructions of WebAssembly do; floats are
 * IEEE 754 binary64.
 */
#define ENTANGLE_PLAIN_ONLY
#include "entangle.h"

ENTANGLE_MODULE("Arithmetic on ints, which wrap around, and on floats.");

#define UNARY(name, expr, doc) \
    ENTANGLE_PLAIN(int64_t, name, (int64_t a), "(a: int) -> int", doc) { return expr; }
#define BINARY(name, expr, doc) \
    ENTANGLE_PLAIN(int64_t, name, (int64_t a, int64_t b), "(a: int, b: int) -> int", doc) { return expr; }
#define NUMBER(name, n) \
    ENTANGLE_PLAIN(int64_t, name, (void), "() -> int", "The number " #n ".") { return n; }
#define FUNARY(name, expr, doc) \
    ENTANGLE_PLAIN(double, name, (double a), "(a: float) -> float", doc) { return expr; }
#define FBINARY(name, expr, doc) \
    ENTANGLE_PLAIN(double, name, (double a, double b), "(a: float, b: float) -> float", doc) { return expr; }

/* C leaves signed overflow undefined; unsigned wraps, and so do these. */
static int64_t times(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

static int64_t negative(int64_t a) { return (int64_t)(0 - (uint64_t)a); }

/* Division by zero is undefined in C, so that a compiler might drop it. The
 * instructions themselves trap, and engines say then what happened. */
#define DIVIDE(instruction, q, a, b) \
    __asm__ volatile("local.get %1\n local.get %2\n " instruction "\n local.set %0" : "=r"(q) : "r"(a), "r"(b))

static int64_t quotient(int64_t a, int64_t b) {
    int64_t q;
    DIVIDE("i64.div_s", q, a, b);
    return q;
}

static int64_t remainder_of(int64_t a, int64_t b) {
    int64_t r;
    DIVIDE("i64.rem_s", r, a, b);
    return r;
}

static int64_t power(int64_t base, int64_t exponent) {
    int64_t result = 1;
    if (exponent < 0) {
        __builtin_trap();
    }
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) {
            result = times(result, base);
        }
        base = times(base, base);
    }
    return result;
}

BINARY(add, (int64_t)((uint64_t)a + (uint64_t)b), "The sum of two ints.")
BINARY(subtract, (int64_t)((uint64_t)a - (uint64_t)b), "The difference of two ints.")
BINARY(mult, times(a, b), "The product of two ints.")
BINARY(div, quotient(a, b), "The quotient, rounded toward zero. Traps if b is 0, and if the quotient is beyond int64.")
BINARY(mod, remainder_of(a, b), "What div leaves over, with the sign of a. Traps if b is 0.")
UNARY(neg, negative(a), "The negative of an int.")
UNARY(abs, a < 0 ? negative(a) : a, "The absolute value of an int; the smallest int stays as it is.")
BINARY(min, a < b ? a : b, "The smaller of two ints.")
BINARY(max, a > b ? a : b, "The larger of two ints.")
BINARY(pow, power(a, b), "a to the power of b, which wraps around. Traps if b is negative.")

ENTANGLE_PLAIN(int64_t, num, (int64_t n), "(n: int) -> int", "The int itself.") { return n; }
NUMBER(zero, 0)
NUMBER(one, 1)
NUMBER(two, 2)
NUMBER(three, 3)
NUMBER(four, 4)
NUMBER(five, 5)
NUMBER(six, 6)
NUMBER(seven, 7)
NUMBER(eight, 8)
NUMBER(nine, 9)
NUMBER(ten, 10)

FBINARY(fadd, a + b, "The sum of two floats.")
FBINARY(fsub, a - b, "The difference of two floats.")
FBINARY(fmul, a * b, "The product of two floats.")
FBINARY(fdiv, a / b, "The quotient of two floats; by 0 it is infinite or NaN.")
FUNARY(fneg, -a, "The negative of a float.")
FUNARY(fabs, __builtin_fabs(a), "The absolute value of a float.")
FBINARY(fmin, __builtin_wasm_min_f64(a, b), "The smaller of two floats; NaN if one is.")
FBINARY(fmax, __builtin_wasm_max_f64(a, b), "The larger of two floats; NaN if one is.")
FUNARY(sqrt, __builtin_sqrt(a), "The square root of a float; NaN of a negative one.")
FUNARY(floor, __builtin_floor(a), "The largest whole number that is not larger.")
FUNARY(ceil, __builtin_ceil(a), "The smallest whole number that is not smaller.")
FUNARY(trunc, __builtin_trunc(a), "The whole number next toward zero.")
FUNARY(nearest, __builtin_rint(a), "The nearest whole number; of two as near, the even one.")
