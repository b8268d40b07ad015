;; A command whose start function reads its arguments and its standard input, which the
;; program then prints: those of the call, or none, never those of another.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $as (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $ag (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $r (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $begin
    (drop (call $as (i32.const 0) (i32.const 4)))
    (drop (call $ag (i32.const 64) (i32.const 1024)))
    (i32.store (i32.const 8) (i32.const 2048)) (i32.store (i32.const 12) (i32.const 1000))
    (drop (call $r (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 16))))
  (start $begin)
  (func (export "_start")
    (i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.load (i32.const 4)))
    (i32.store (i32.const 20) (i32.const 2048)) (i32.store (i32.const 24) (i32.load (i32.const 16)))
    (drop (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32)))
    (i32.store (i32.const 8) (i32.const 2048)) (i32.store (i32.const 12) (i32.load (i32.const 16)))
    (drop (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32)))))
