// What the engine needs of wasmtime's C API, which the binding links but does not
// offer: declared here, since its headers are the binding's. Layouts are those of
// wasmtime 39: look at its include/wasmtime/{val,extern,instance}.h when it changes.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_engine_t wasm_engine_t;
typedef struct wasm_trap_t wasm_trap_t;
typedef struct wasm_frame_t wasm_frame_t;
typedef struct wasmtime_error wasmtime_error_t;
typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_instance_pre wasmtime_instance_pre_t;
typedef struct wasmtime_linker wasmtime_linker_t;
typedef struct wasmtime_module wasmtime_module_t;
typedef struct wasmtime_store wasmtime_store_t;

typedef struct { size_t size; uint8_t *data; } wasm_byte_vec_t;
typedef struct { size_t size; wasm_frame_t **data; } wasm_frame_vec_t;

extern void wasm_byte_vec_delete(wasm_byte_vec_t *);
extern void wasm_engine_delete(wasm_engine_t *);
extern void wasm_frame_vec_delete(wasm_frame_vec_t *);
extern uint32_t wasm_frame_func_index(const wasm_frame_t *);
extern const wasm_byte_vec_t *wasmtime_frame_func_name(const wasm_frame_t *);
extern const wasm_byte_vec_t *wasmtime_frame_module_name(const wasm_frame_t *);
extern void wasm_trap_delete(wasm_trap_t *);
extern void wasm_trap_message(const wasm_trap_t *, wasm_byte_vec_t *);
extern void wasm_trap_trace(const wasm_trap_t *, wasm_frame_vec_t *);
extern bool wasmtime_trap_code(const wasm_trap_t *, uint8_t *);
extern void wasmtime_error_delete(wasmtime_error_t *);
extern void wasmtime_error_wasm_trace(const wasmtime_error_t *, wasm_frame_vec_t *);
extern void wasmtime_error_message(const wasmtime_error_t *, wasm_byte_vec_t *);
extern void wasmtime_instance_pre_delete(wasmtime_instance_pre_t *);
extern wasmtime_linker_t *wasmtime_linker_new(wasm_engine_t *);
extern void wasmtime_linker_delete(wasmtime_linker_t *);
extern wasmtime_error_t *wasmtime_linker_instantiate_pre(const wasmtime_linker_t *, const wasmtime_module_t *, wasmtime_instance_pre_t **);
extern wasmtime_error_t *wasmtime_module_new(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
extern wasmtime_error_t *wasmtime_module_serialize(wasmtime_module_t *, wasm_byte_vec_t *);
extern wasmtime_error_t *wasmtime_module_deserialize_file(wasm_engine_t *, const char *, wasmtime_module_t **);
extern void wasmtime_module_delete(wasmtime_module_t *);

// A raw is a parameter or a result of a call, wasmtime_val_raw_t: a vector is both
// halves, and what is narrower than low leaves the rest of it undefined.
typedef struct { uint64_t low, high; } raw;

// A function is wasmtime_func_t; store is 0 until it is resolved.
typedef struct { uint64_t store; void *private; } function;

// A global is wasmtime_global_t, with its type behind it.
typedef struct { uint64_t store; uint32_t private[3]; uint8_t kind; } global;

// A linear is a linear memory that wasmtime uses and does not own.
typedef struct {
	uint8_t *base;
	size_t size, capacity, reserved; // in bytes; capacity is reserved without the guard
	void *owner;           // the Go instance whose memory it is; NULL if it never grows
	bool given;            // to wasmtime
} linear;

// An instance is the C part of a Go instance. One thread at a time uses it.
typedef struct {
	wasmtime_store_t *store;
	wasmtime_context_t *context;
	struct { uint64_t store; size_t private; } handle; // wasmtime_instance_t
	void *owner;                                       // the Go instance, pinned
	linear memory, control;                            // base is NULL where there is none
	linear *heap;                                      // wasmtime's own; NULL where there is none
	int before, asked;                                 // memories that wasmtime asks for before those, and has asked for
	wasm_trap_t *trap;       // why the last call or instantiation has failed:
	wasmtime_error_t *error; // at most one of both
} instance;

extern size_t entangle_thread_stack(void);
extern wasm_engine_t *entangle_engine_new(size_t stack, uint64_t reservation, uint64_t guard);
extern wasmtime_error_t *entangle_define(wasmtime_linker_t *, const char *module, size_t, const char *name, size_t,
	const uint8_t *kinds, size_t params, size_t results, uintptr_t number);
extern int entangle_count_memories(wasm_engine_t *, const wasmtime_instance_pre_t *);
extern bool entangle_instantiate(instance *, wasm_engine_t *, const wasmtime_instance_pre_t *);
extern bool entangle_find_function(instance *, const char *name, size_t, function *);
extern bool entangle_find_global(instance *, const char *name, size_t, global *);
// entangle_call calls a function. Its parameters are pointers, which Go would check
// at every call.
extern bool entangle_call(uintptr_t instance, uintptr_t function, uintptr_t slots, size_t n);
extern void entangle_get(instance *, const global *, uint64_t *, size_t);
extern void entangle_set(instance *, const global *, const uint64_t *, size_t);
extern void entangle_delete(instance *);
