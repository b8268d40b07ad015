//go:build cgo && (linux || darwin) && (amd64 || arm64)

#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "_cgo_export.h"
#include "native.h"

typedef struct wasm_config_t wasm_config_t;
typedef struct wasm_functype_t wasm_functype_t;
typedef struct wasm_valtype_t wasm_valtype_t;
typedef struct wasmtime_caller wasmtime_caller_t;
typedef struct { size_t size; wasm_valtype_t **data; } wasm_valtype_vec_t;

// An external is wasmtime_extern_t, a value wasmtime_val_t; their unions are no
// larger than here.
typedef struct { uint8_t kind; union { function function; global global; uint64_t room[4]; } of; } external;
typedef struct { uint8_t kind; union { uint64_t bits; uint64_t room[4]; } of; } value;
enum { external_function = 0, external_global = 1 };

typedef struct {
	void *env;
	uint8_t *(*get)(void *env, size_t *size, size_t *capacity);
	wasmtime_error_t *(*grow)(void *env, size_t size);
	void (*finalize)(void *env);
} wasmtime_linear_memory_t;
typedef struct {
	void *env;
	wasmtime_error_t *(*new_memory)(void *env, const void *type, size_t min, size_t max, size_t reserved, size_t guard, wasmtime_linear_memory_t *);
	void (*finalize)(void *env);
} wasmtime_memory_creator_t;

extern wasm_config_t *wasm_config_new(void);
extern wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *);
extern wasm_functype_t *wasm_functype_new(wasm_valtype_vec_t *, wasm_valtype_vec_t *);
extern void wasm_functype_delete(wasm_functype_t *);
extern wasm_valtype_t *wasm_valtype_new(uint8_t);
extern void wasm_valtype_vec_new_uninitialized(wasm_valtype_vec_t *, size_t);
extern wasmtime_context_t *wasmtime_caller_context(wasmtime_caller_t *);
extern void wasmtime_config_host_memory_creator_set(wasm_config_t *, wasmtime_memory_creator_t *);
extern void wasmtime_config_max_wasm_stack_set(wasm_config_t *, size_t);
extern void wasmtime_config_memory_guard_size_set(wasm_config_t *, uint64_t);
extern void wasmtime_config_memory_reservation_set(wasm_config_t *, uint64_t);
extern void *wasmtime_context_get_data(const wasmtime_context_t *);
extern wasmtime_error_t *wasmtime_error_new(const char *);
extern wasmtime_error_t *wasmtime_func_call_unchecked(wasmtime_context_t *, const function *, raw *, size_t, wasm_trap_t **);
extern void wasmtime_global_get(wasmtime_context_t *, const global *, value *);
extern wasmtime_error_t *wasmtime_global_set(wasmtime_context_t *, const global *, const value *);
extern bool wasmtime_instance_export_get(wasmtime_context_t *, const void *instance, const char *, size_t, external *);
extern wasmtime_error_t *wasmtime_instance_pre_instantiate(const wasmtime_instance_pre_t *, wasmtime_context_t *, void *instance, wasm_trap_t **);
extern wasmtime_error_t *wasmtime_linker_define_func_unchecked(wasmtime_linker_t *, const char *, size_t, const char *, size_t,
	const wasm_functype_t *, wasm_trap_t *(*)(void *, wasmtime_caller_t *, raw *, size_t), void *, void (*)(void *));
extern wasmtime_store_t *wasmtime_store_new(wasm_engine_t *, void *, void (*)(void *));
extern wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *);
extern void wasmtime_store_delete(wasmtime_store_t *);
extern wasm_trap_t *wasmtime_trap_new(const char *, size_t);

#define FLAGS(X) \
	X(wasm_multi_memory, true) X(wasm_threads, true) X(wasm_tail_call, true) X(wasm_simd, true) X(wasm_bulk_memory, true) \
	X(wasm_multi_value, true) X(wasm_reference_types, true) X(wasm_exceptions, true) \
	X(wasm_relaxed_simd, false) X(wasm_memory64, false) X(wasm_function_references, false) X(wasm_gc, false) \
	X(wasm_wide_arithmetic, false) X(wasm_custom_page_sizes, false) X(wasm_stack_switching, false) \
	X(consume_fuel, false) X(epoch_interruption, false) X(memory_may_move, false) X(memory_init_cow, false) X(native_unwind_info, false)
#define DECLARE(name, on) extern void wasmtime_config_##name##_set(wasm_config_t *, bool);
FLAGS(DECLARE)

// entangle_thread_stack returns the size of the stacks that Go gives to threads.
size_t entangle_thread_stack(void) {
#ifdef __APPLE__
	return pthread_get_stacksize_np(pthread_self());
#else
	pthread_attr_t attr;
	size_t size = 0;
	if (pthread_attr_init(&attr) == 0) {
		pthread_attr_getstacksize(&attr, &size);
		pthread_attr_destroy(&attr);
	}
	return size;
#endif
}

// making is the instance that this thread makes: wasmtime does not tell a memory
// creator for whom a memory is.
static _Thread_local instance *making;

// wasmtime takes a fault for one of the memory from whose base on capacity bytes and
// a guard contain its address, and ends the process if there is none, or are two.
static uint8_t *get_linear(void *env, size_t *size, size_t *capacity) {
	linear *l = env;
	*size = l->size;
	*capacity = l->capacity;
	return l->base;
}

static wasmtime_error_t *grow_linear(void *env, size_t size) {
	linear *l = env;
	size_t now = l->owner ? entangleGrow(l->owner, size) : 0;
	if (now < size)
		return wasmtime_error_new("the memory cannot grow");
	l->size = now;
	return NULL;
}

// Exceptions and external references live in a memory of wasmtime's own, its heap:
// a mapping, of which a guest can use heap_limit bytes. wasmtime 39 never frees an
// exception that was caught (48 bytes), whatever is collected.
enum { heap_limit = 64 << 20 };

static wasmtime_error_t *grow_heap(void *env, size_t size) {
	linear *l = env;
	if (size > heap_limit || mprotect(l->base, size, PROT_READ | PROT_WRITE) != 0)
		return wasmtime_error_new("no memory for more exceptions");
	l->size = size;
	return NULL;
}

static void free_heap(void *env) {
	linear *l = env;
	munmap(l->base, l->reserved);
	free(l);
}

static wasmtime_error_t *new_heap(size_t min, size_t reserved, size_t guard, wasmtime_linear_memory_t *out) {
	linear *l = calloc(1, sizeof *l);
	if (!l)
		return wasmtime_error_new("no memory for exceptions");
	l->capacity = reserved;
	l->reserved = reserved + guard;
	l->base = mmap(NULL, l->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
	if (l->base == MAP_FAILED) {
		free(l);
		return wasmtime_error_new("no address space for exceptions");
	}
	l->size = min;
	if (min > 0 && mprotect(l->base, min, PROT_READ | PROT_WRITE) != 0) {
		free_heap(l);
		return wasmtime_error_new("no memory for exceptions");
	}
	*out = (wasmtime_linear_memory_t){l, get_linear, grow_heap, free_heap};
	if (making)
		making->heap = l;
	return NULL;
}

// new_memory is asked for the heap first, if the module has use for one, and then
// for the memories that the module defines, in their order. It cannot see which is
// which, so it counts.
static wasmtime_error_t *new_memory(void *env, const void *type, size_t min, size_t max, size_t reserved, size_t guard, wasmtime_linear_memory_t *out) {
	linear *l = NULL;
	if (making && making->asked++ >= making->before) {
		if (making->memory.base && !making->memory.given)
			l = &making->memory;
		else if (making->control.base && !making->control.given)
			l = &making->control;
	}
	if (!l)
		return new_heap(min, reserved, guard, out);
	if (reserved + guard > l->reserved)
		return wasmtime_error_new("its reservation is too small");
	if (l->owner ? min > l->size : min != l->size || max != l->size)
		return wasmtime_error_new("the module's memory has another size");
	l->given = true;
	*out = (wasmtime_linear_memory_t){l, get_linear, grow_linear, NULL};
	return NULL;
}

// entangle_count_memories returns for how many memories wasmtime asks to make an
// instance, or -1 if it could not make them all. A trap comes after them.
int entangle_count_memories(wasm_engine_t *engine, const wasmtime_instance_pre_t *pre) {
	instance i = {0};
	if (!entangle_instantiate(&i, engine, pre)) {
		if (i.trap)
			wasm_trap_delete(i.trap);
		if (i.error) {
			wasmtime_error_delete(i.error);
			i.asked = -1;
		}
	}
	wasmtime_store_delete(i.store);
	return i.asked;
}

wasm_engine_t *entangle_engine_new(size_t stack, uint64_t reservation, uint64_t guard) {
	wasm_config_t *c = wasm_config_new();
#define SET(name, on) wasmtime_config_##name##_set(c, on);
	FLAGS(SET)
	wasmtime_config_max_wasm_stack_set(c, stack);
	wasmtime_config_memory_reservation_set(c, reservation);
	wasmtime_config_memory_guard_size_set(c, guard);
	wasmtime_memory_creator_t creator = {NULL, new_memory, NULL};
	wasmtime_config_host_memory_creator_set(c, &creator);
	return wasm_engine_new_with_config(c);
}

// host is behind every imported function; env is its number.
static wasm_trap_t *host(void *env, wasmtime_caller_t *caller, raw *slots, size_t n) {
	instance *i = wasmtime_context_get_data(wasmtime_caller_context(caller));
	if (entangleHost(i->owner, (uintptr_t)env, slots, n))
		return NULL;
	static const char stopped[] = "stopped by the host";
	return wasmtime_trap_new(stopped, sizeof stopped - 1);
}

static void types(wasm_valtype_vec_t *out, const uint8_t *kinds, size_t n) {
	wasm_valtype_vec_new_uninitialized(out, n);
	for (size_t k = 0; k < n; k++)
		out->data[k] = wasm_valtype_new(kinds[k]);
}

wasmtime_error_t *entangle_define(wasmtime_linker_t *linker, const char *module, size_t module_size, const char *name, size_t name_size,
	const uint8_t *kinds, size_t params, size_t results, uintptr_t number) {
	wasm_valtype_vec_t p, r;
	types(&p, kinds, params);
	types(&r, kinds + params, results);
	wasm_functype_t *type = wasm_functype_new(&p, &r);
	wasmtime_error_t *e = wasmtime_linker_define_func_unchecked(linker, module, module_size, name, name_size, type, host, (void *)number, NULL);
	wasm_functype_delete(type);
	return e;
}

bool entangle_instantiate(instance *i, wasm_engine_t *engine, const wasmtime_instance_pre_t *pre) {
	i->store = wasmtime_store_new(engine, i, NULL);
	i->context = wasmtime_store_context(i->store);
	instance *outer = making;
	making = i;
	i->error = wasmtime_instance_pre_instantiate(pre, i->context, &i->handle, &i->trap);
	making = outer;
	return !i->error && !i->trap;
}

static bool find(instance *i, const char *name, size_t size, uint8_t kind, external *e) {
	return wasmtime_instance_export_get(i->context, &i->handle, name, size, e) && e->kind == kind;
}

bool entangle_find_function(instance *i, const char *name, size_t size, function *f) {
	external e;
	if (!find(i, name, size, external_function, &e))
		return false;
	*f = e.of.function;
	return true;
}

bool entangle_find_global(instance *i, const char *name, size_t size, global *g) {
	external e;
	if (!find(i, name, size, external_global, &e))
		return false;
	uint8_t kind = g->kind;
	*g = e.of.global;
	g->kind = kind;
	return true;
}

bool entangle_call(uintptr_t at, uintptr_t f, uintptr_t slots, size_t n) {
	instance *i = (instance *)at;
	i->trap = NULL;
	i->error = wasmtime_func_call_unchecked(i->context, (const function *)f, (raw *)slots, n, &i->trap);
	return !i->error && !i->trap;
}

void entangle_get(instance *i, const global *g, uint64_t *out, size_t n) {
	for (size_t k = 0; k < n; k++) {
		value v = {0};
		wasmtime_global_get(i->context, &g[k], &v);
		out[k] = g[k].kind & 1 ? v.of.bits : (uint32_t)v.of.bits; // i32 and f32 are 0 and 2
	}
}

void entangle_set(instance *i, const global *g, const uint64_t *in, size_t n) {
	for (size_t k = 0; k < n; k++) {
		value v = {g[k].kind, {in[k]}};
		wasmtime_error_t *e = wasmtime_global_set(i->context, &g[k], &v);
		if (e) // another type, or immutable: not what the module was compiled from
			abort();
	}
}

void entangle_delete(instance *i) {
	if (i->store)
		wasmtime_store_delete(i->store);
	free(i);
}
