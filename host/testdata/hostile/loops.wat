;; Endless loops of every shape. Each ends at its deadline, and the worker goes on.
;;> plain() -> ! timed out "ran longer than its timeout"
;;> nested() -> ! timed out
;;> turns(1) -> ! timed out
;;> table(2) -> ! timed out
;;> params(1) -> ! timed out
;;> inner() -> ! timed out
;;> reads() -> ! timed out
;;> leaf() -> ! timed out
;;> floats() -> ! timed out
;;> vectors() -> ! timed out
;;> arms(1) -> ! timed out
;;> grow_zero() -> ! timed out
;;> good() -> 42
(module
  (memory 1)
  (global $g (mut i32) (i32.const 0))
  (func (export "plain") (loop (br 0)))
  (func (export "nested") (loop (loop (loop (br 2)))))
  (func (export "turns") (param i32) (loop (br_if 0 (local.get 0)))) ;; a condition that never changes
  (func (export "table") (param i32)
    (loop (block (block (br_table 0 1 2 (local.get 0))) (br 1)) (br 0)))
  (func (export "params") (param i32) (result i32)
    (local.get 0) (loop (param i32) (result i32) (i32.add (i32.const 1)) (br 0)))
  ;; Only the inner loop's end leads on, and each of its runs is short.
  (func (export "inner") (local i32)
    (loop (local.set 0 (i32.const 10))
      (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (br 0)))
  (func (export "reads") (local i32) ;; no store, no call, no global
    (loop (local.set 0 (i32.add (local.get 0) (i32.load (i32.const 16)))) (br 0)))
  (func $one (result i32) (i32.const 1))
  (func (export "leaf") (loop (br_if 0 (call $one))))
  (func (export "floats") (local f64) ;; NaN is not NaN
    (local.set 0 (f64.const nan)) (loop (br_if 0 (f64.ne (local.get 0) (local.get 0)))))
  (func (export "vectors") (local v128)
    (loop (local.set 0 (i8x16.add (local.get 0) (v128.const i32x4 1 1 1 1))) (br_if 0 (i32.eqz (v128.any_true (v128.const i32x4 0 0 0 0))))))
  (func (export "arms") (param i32)
    (loop $l (if (local.get 0) (then (local.set 0 (i32.const 0)) (br $l)) (else (local.set 0 (i32.const 1)) (br $l)))))
  (func (export "grow_zero") (loop (drop (memory.grow (i32.const 0))) (global.set $g (memory.size)) (br 0)))
  (func (export "good") (result i32) (i32.add (i32.const 42) (global.get $g)))
)
