//go:build ignore
// (for the Go tools: this is no part of a Go package)

/* Draws the Mandelbrot set, tile by tile. */
#include "entangle.h"

ENTANGLE_MODULE("The Mandelbrot set.");

/* The wheel of colours: a position in it is a fraction of 1, and between two of
 * these it is a mixture. Deep blue, through white and amber, to black and back. */
static const struct {
    float at;
    uint8_t rgb[3];
} stops[] = {
    {0.0000f, {0, 7, 100}},   {0.1600f, {32, 107, 203}}, {0.4200f, {237, 255, 255}},
    {0.6425f, {255, 170, 0}}, {0.8575f, {60, 8, 12}},    {1.0000f, {0, 7, 100}},
};

enum { WHEEL = 1 << 11 };
static uint8_t wheel[WHEEL][3];

/* smooth is 0 at 0 and 1 at 1, and level at both: no edges show between the stops. */
static float smooth(float t) { return t * t * (3 - 2 * t); }

/* Filled when the module starts, so that every call finds it. */
__attribute__((constructor)) static void fill_wheel(void) {
    int k = 0;
    for (int i = 0; i < WHEEL; i++) {
        float at = (float)i / WHEEL;
        while (at >= stops[k + 1].at) {
            k++;
        }
        float t = smooth((at - stops[k].at) / (stops[k + 1].at - stops[k].at));
        for (int c = 0; c < 3; c++) {
            wheel[i][c] = (uint8_t)(stops[k].rgb[c] + t * (float)(stops[k + 1].rgb[c] - stops[k].rgb[c]) + 0.5f);
        }
    }
}

/* in_large_parts reports whether x + iy is in the main cardioid or in the disc to its
 * left, most of the set, whose points would all take the full number of iterations. */
static bool in_large_parts(double x, double y) {
    double y2 = y * y, q = (x - 0.25) * (x - 0.25) + y2;
    return q * (q + (x - 0.25)) <= 0.25 * y2 || (x + 1) * (x + 1) + y2 <= 0.0625;
}

/* log2_of approximates the binary logarithm of a positive number to about 0.0001:
 * enough for a colour, and without a mathematical library. */
static double log2_of(double v) {
    uint64_t bits;
    memcpy(&bits, &v, 8);
    double whole = (double)((int)(bits >> 52) - 1023);
    bits = (bits & ((1ull << 52) - 1)) | 1023ull << 52;
    memcpy(&v, &bits, 8); /* in 1 … 2; ln v = 2 atanh((v - 1) / (v + 1)) */
    double t = (v - 1) / (v + 1), t2 = t * t;
    return whole + 2.885390081777927 * t * (1 + t2 * (1.0 / 3 + t2 * (1.0 / 5 + t2 / 7)));
}

/* escape returns how many iterations x + iy takes to leave, with a fraction that makes
 * it vary without steps; or -1 if it stays. */
static double escape(double x, double y, int64_t iterations) {
    if (in_large_parts(x, y)) {
        return -1;
    }
    double a = 0, b = 0, a2 = 0, b2 = 0, old_a = 0, old_b = 0;
    int64_t check = 8, n;
    for (n = 0; n < iterations && a2 + b2 <= 65536; n++) {
        b = 2 * a * b + y;
        a = a2 - b2 + x;
        a2 = a * a;
        b2 = b * b;
        if (a == old_a && b == old_b) {
            return -1; /* a cycle: it never leaves */
        }
        if (n == check) { /* compare with a later point, at doubling distances (Brent) */
            old_a = a;
            old_b = b;
            check *= 2;
        }
    }
    if (a2 + b2 <= 65536) {
        return -1;
    }
    double smoothed = (double)n + 1 - log2_of(0.5 * log2_of(a2 + b2));
    return smoothed > 0 ? smoothed : 0; /* far away, it would be negative */
}

ENTANGLE_TASK(tile,
              "(x0: float, y0: float, dx: float, dy: float, width: int, height: int, iterations: int)"
              " -> array[uint8]",
              "A picture of [height, width, 3] (red, green, blue): pixel (i, j) is the point x0 + j dx, y0 + i dy.") {
    double x0 = entangle_get_float(&args[0]), y0 = entangle_get_float(&args[1]);
    double dx = entangle_get_float(&args[2]), dy = entangle_get_float(&args[3]);
    int64_t width = entangle_get_int(&args[4]), height = entangle_get_int(&args[5]);
    int64_t iterations = entangle_get_int(&args[6]);
    if (width < 0 || height < 0 || width > 1 << 16 || height > 1 << 16) {
        static const char message[] = "width and height must be 0 to 65536";
        entangle_fail_text(message, sizeof message - 1);
    }
    uint64_t shape[3] = {(uint64_t)height, (uint64_t)width, 3};
    uint8_t *pixel = (uint8_t *)entangle_put_space(out, ENTANGLE_UINT8, 3, shape);
    for (int64_t i = 0; i < height; i++) {
        for (int64_t j = 0; j < width; j++, pixel += 3) {
            double n = escape(x0 + (double)j * dx, y0 + (double)i * dy, iterations);
            if (n < 0) {
                memset(pixel, 0, 3);
                continue;
            }
            /* The root spreads the colours out where iterations crowd, near the set. */
            double turn = 0.18 * (__builtin_sqrt(n) - 1);
            memcpy(pixel, wheel[(uint32_t)((turn - __builtin_floor(turn)) * WHEEL) % WHEEL], 3);
        }
    }
}
