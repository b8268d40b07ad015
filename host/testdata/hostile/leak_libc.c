// Leaks a secret through what wasi-libc keeps: the allocator's free lists and what it
// freed, errno, the environment, static and thread-local variables, buffers of stdio,
// random numbers, and the stack below.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

static uint64_t kept, *list[64];
static _Thread_local uint64_t local;
static char text[32] = "as it was";

enum { WORDS = 64 };

// The words below the stack of who calls.
__attribute__((noinline)) static volatile uint64_t *below(void) {
	volatile uint64_t here = 0;
	return (volatile uint64_t *)((uintptr_t)&here - WORDS * sizeof here);
}

void EXPORT(hide)(uint64_t secret, int how) {
	kept = local = secret;
	errno = (int)secret;
	snprintf(text, sizeof text, "%llx", (unsigned long long)secret);
	setenv("SECRET", text, 1);
	srand((unsigned)secret);
	fputs(text, stdout); // stays in its buffer
	for (int i = 0; i < 64; i++) {
		list[i] = malloc((secret >> i & 1) ? 40 : 400);
		if (list[i])
			*list[i] = secret;
	}
	for (int i = 0; i < 64; i += 2)
		free(list[i]);
	volatile uint64_t *s = below();
	for (int i = 0; i < WORDS; i++)
		s[i] = secret;
	switch (how) {
	case 1:
		__builtin_trap();
	case 2:
		for (volatile int i = 0;; i = i + 1) {
		}
	case 3:
		exit(0);
	case 4:
		list[0] = malloc(1 << 20);
		break;
	case 5:
		abort();
	}
}

uint64_t EXPORT(find)(void) {
	uint64_t sum = kept ^ local ^ (uint64_t)errno;
	for (int i = 0; i < (int)sizeof text; i++)
		sum = sum * 31 + (unsigned char)text[i];
	if (getenv("SECRET"))
		sum = sum * 31 + strtoull(getenv("SECRET"), 0, 16);
	sum = sum * 31 + (uint64_t)rand();
	volatile uint64_t *s = below();
	for (int i = 0; i < WORDS; i++)
		sum = sum * 31 + s[i];
	return sum;
}

// What malloc gives, and where.
uint64_t EXPORT(find_heap)(void) {
	uint64_t sum = 0;
	for (int i = 0; i < 64; i++) {
		volatile uint64_t *p = malloc(i % 2 ? 40 : 400);
		sum = sum * 31 + (uintptr_t)p;
		for (int j = 0; p && j < 5; j++)
			sum = sum * 31 + p[j];
	}
	return sum;
}
