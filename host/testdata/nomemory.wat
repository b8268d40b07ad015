;; Imports that take pointers, and no memory that these could point into.
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (func (export "log") (result i32) (call $log (i32.const 1) (i32.const 8) (i32.const 8)))
  (func (export "random") (result i32) (call $random (i32.const 8) (i32.const 8)))
)
