;; Random numbers and the environment at the time of a call. Two calls never get the
;; same numbers, and get no variable.
;;> environment() -> 0
;;> good() -> 42
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_initialize") (drop (call $random (i32.const 0) (i32.const 8))))
  (func (export "fresh") (result i64) (drop (call $random (i32.const 8) (i32.const 8))) (i64.load (i32.const 8)))
  (func (export "environment") (result i32) (i32.or (call $environ (i32.const 16) (i32.const 20)) (i32.load (i32.const 16))))
  (func (export "good") (result i32) (i32.const 42))
)
