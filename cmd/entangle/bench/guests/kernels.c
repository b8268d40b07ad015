//go:build ignore
// (for the Go tools: this is no part of a Go package)

/* Eight kernels, for what checks cost and for how near to native code an engine
 * comes. Each does its work n times and returns something that depends on all of
 * it. Compiled natively, the program times each: kernels NAME N. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __wasm__
#define KERNEL(name) __attribute__((export_name(#name))) int64_t name(int64_t n)
#else
#define KERNEL(name) __attribute__((noinline)) int64_t name(int64_t n)
#endif

static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

KERNEL(fib) { return fibonacci((int)n); }

static double numbers[1 << 16];

KERNEL(sum) {
    double s = 0;
    for (int i = 0; i < 1 << 16; i++) {
        numbers[i] = i * (double)n;
    }
    for (int64_t k = 0; k < n; k++) {
        for (int i = 0; i < 1 << 16; i++) {
            s += numbers[i];
        }
    }
    return (int64_t)s;
}

enum { SIDE = 256 };
static float left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

KERNEL(matmul) {
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = i + (float)n;
            right[i][j] = j;
        }
    }
    for (int64_t k = 0; k < n; k++) {
        for (int i = 0; i < SIDE; i++) {
            for (int j = 0; j < SIDE; j++) {
                float s = 0;
                for (int l = 0; l < SIDE; l++) {
                    s += left[i][l] * right[l][j];
                }
                product[i][j] = s;
            }
        }
    }
    float trace = 0;
    for (int i = 0; i < SIDE; i++) {
        trace += product[i][i];
    }
    return (int64_t)trace;
}

enum { PRIMES = 1 << 20 };
static uint8_t prime[PRIMES];

KERNEL(sieve) {
    int count = 0;
    for (int64_t k = 0; k < n; k++) {
        memset(prime, 1, sizeof prime);
        count = 0;
        for (int i = 2; i < PRIMES; i++) {
            if (prime[i]) {
                count++;
                for (int j = i * 2; j < PRIMES; j += i) {
                    prime[j] = 0;
                }
            }
        }
    }
    return count;
}

/* SHA-256 (FIPS 180-4), the compression function on made-up blocks. */
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

KERNEL(sha256) {
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (int64_t k = 0; k < n; k++) {
        uint32_t w[64], v[8];
        for (int i = 0; i < 16; i++) {
            w[i] = (uint32_t)(i * k);
        }
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        }
        memcpy(v, h, sizeof v);
        for (int i = 0; i < 64; i++) {
            uint32_t t = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
            uint32_t u = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            memmove(v + 1, v, 7 * sizeof *v);
            v[4] += t;
            v[0] = t + u;
        }
        for (int i = 0; i < 8; i++) {
            h[i] += v[i];
        }
    }
    return h[0];
}

KERNEL(nbody) {
    enum { BODIES = 5 };
    double at[BODIES][3], speed[BODIES][3], mass[BODIES];
    for (int i = 0; i < BODIES; i++) {
        mass[i] = i + 1;
        for (int d = 0; d < 3; d++) {
            at[i][d] = i * d + 1;
            speed[i][d] = 0;
        }
    }
    for (int64_t k = 0; k < n; k++) {
        for (int i = 0; i < BODIES; i++) {
            for (int j = i + 1; j < BODIES; j++) {
                double x = at[i][0] - at[j][0], y = at[i][1] - at[j][1], z = at[i][2] - at[j][2];
                double square = x * x + y * y + z * z + 0.01, pull = 0.001 / (square * __builtin_sqrt(square));
                speed[i][0] -= x * mass[j] * pull;
                speed[i][1] -= y * mass[j] * pull;
                speed[i][2] -= z * mass[j] * pull;
                speed[j][0] += x * mass[i] * pull;
                speed[j][1] += y * mass[i] * pull;
                speed[j][2] += z * mass[i] * pull;
            }
        }
        for (int i = 0; i < BODIES; i++) {
            for (int d = 0; d < 3; d++) {
                at[i][d] += 0.001 * speed[i][d];
            }
        }
    }
    return (int64_t)(at[0][0] * 1e6);
}

/* A sort and a search of their own, so that both sides run the same C and not their
 * libraries. The comparison is called through a pointer that no compiler sees through. */
static int by_size(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int (*volatile compare)(const void *, const void *) = by_size;

static void quicksort(int *from, int *to, int (*less)(const void *, const void *)) {
    while (to - from > 1) {
        int pivot = from[(to - from) / 2], *i = from, *j = to - 1;
        while (i <= j) {
            while (less(i, &pivot) < 0) {
                i++;
            }
            while (less(j, &pivot) > 0) {
                j--;
            }
            if (i <= j) {
                int swapped = *i;
                *i++ = *j;
                *j-- = swapped;
            }
        }
        if (j + 1 - from < to - i) {
            quicksort(from, j + 1, less);
            from = i;
        } else {
            quicksort(i, to, less);
            to = j + 1;
        }
    }
}

static int unsorted[1 << 16];

KERNEL(sort) {
    for (int64_t k = 0; k < n; k++) {
        uint32_t x = 12345 + (uint32_t)k;
        for (int i = 0; i < 1 << 16; i++) {
            x = x * 1664525 + 1013904223;
            unsorted[i] = (int)(x >> 8);
        }
        quicksort(unsorted, unsorted + (1 << 16), compare);
    }
    return unsorted[77];
}

static char text[1 << 16];

static char *find(char *s, char c) {
    for (; *s != c; s++) {
        if (!*s) {
            return NULL;
        }
    }
    return s;
}

KERNEL(search) {
    int count = 0;
    for (int i = 0; i < (1 << 16) - 1; i++) {
        text[i] = (char)('a' + i * 7 % 23);
    }
    for (int64_t k = 0; k < n; k++) {
        for (char *p = text; (p = find(p, 'q')); p++) {
            count++;
        }
    }
    return count;
}

#ifndef __wasm__
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int64_t (*run)(int64_t);
    } all[] = {{"fib", fib}, {"sum", sum}, {"matmul", matmul}, {"sieve", sieve}, {"sha256", sha256}, {"nbody", nbody}, {"sort", sort}, {"search", search}};
    for (int i = 0; argc > 2 && i < 8; i++) {
        if (strcmp(argv[1], all[i].name) == 0) {
            struct timespec from, to;
            clock_gettime(CLOCK_MONOTONIC, &from);
            int64_t result = all[i].run(atoll(argv[2]));
            clock_gettime(CLOCK_MONOTONIC, &to);
            printf("%lld %lld\n", (long long)((to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec), (long long)result);
            return 0;
        }
    }
    return 2;
}
#endif
