;; What a program drives by hand, export by export.
(module
  (import "app" "ask" (func $ask (param i32 i64) (result i64)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory 2)
  (global $calls (mut i64) (i64.const 0))
  (data (i32.const 16) "x")

  ;; In memory and in a global: 1001 in a pristine instance, then 2002.
  (func (export "count") (result i64)
    (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (i64.add (i64.mul (i64.load (i32.const 8)) (i64.const 1000)) (global.get $calls)))

  (func (export "ask") (param i32 i64) (result i64)
    (i64.add (call $ask (local.get 0) (local.get 1)) (i64.const 1)))
  (func (export "double") (param i64) (result i64)
    (i64.mul (local.get 0) (i64.const 2)))
  (func (export "turn") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (local.get 3) (local.get 2) (local.get 1) (local.get 0))
  (func (export "spin") (param i64) (result i64)
    (loop $l
      (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
      (br_if $l (i64.ne (local.get 0) (i64.const 0))))
    (local.get 0))
  (func (export "grow") (result i32) (memory.grow (i32.const 3)))
  (func (export "trap") unreachable)

  ;; Opens file x in the first directory and leaves it open.
  (func (export "open") (result i32)
    (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32))))
