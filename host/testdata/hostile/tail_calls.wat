;; Cycles of tail calls: no loop, and a stack that never grows.
;;> self() -> ! timed out
;;> two() -> ! timed out
;;> table() -> ! timed out
;;> moving(0) -> ! timed out
;;> many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) -> ! timed out|limit
;;> good() -> 42
(module
  (type $v (func)) (type $i (func (param i32)))
  (func $self (export "self") (return_call $self))
  (func $two (export "two") (return_call $three))
  (func $three (return_call $two))
  (table funcref (elem $t0 $m0 $m1 $m2))
  (func $t0 (export "table") (return_call_indirect (type $v) (i32.const 0)))
  ;; Each time through another entry.
  (func $moving (export "moving") (param i32) (return_call $m0 (local.get 0)))
  (func $m0 (param i32) (return_call_indirect (type $i) (i32.add (local.get 0) (i32.const 1)) (i32.add (i32.rem_u (local.get 0) (i32.const 3)) (i32.const 1))))
  (func $m1 (param i32) (return_call_indirect (type $i) (i32.add (local.get 0) (i32.const 1)) (i32.add (i32.rem_u (local.get 0) (i32.const 3)) (i32.const 1))))
  (func $m2 (param i32) (return_call $m0 (i32.add (local.get 0) (i32.const 1))))
  ;; Arguments that go round, more than fit registers.
  (func $many (export "many") (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (return_call $many (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 0)))
  (func (export "good") (result i32) (i32.const 42))
)
