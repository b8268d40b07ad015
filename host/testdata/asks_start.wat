;; A module that takes a while to initialize, and asks the program meanwhile.
(module
  (import "app" "ask" (func $ask (param i32 i64) (result i64)))
  (memory 1)
  (func (export "_initialize") (local i64)
    (loop $l
      (local.set 0 (i64.add (local.get 0) (i64.const 1)))
      (br_if $l (i64.lt_s (local.get 0) (i64.const 50000000))))
    (i64.store (i32.const 8) (call $ask (i32.const 0) (i64.const 1))))
  (func (export "answer") (result i64) (i64.load (i32.const 8))))
