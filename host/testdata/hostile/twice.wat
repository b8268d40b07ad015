;; Behaves on the first call, and on the second, by what the first left behind, does
;; not. There is no second call: each is the first.
;;> memory() -> 1
;;> memory() -> 1
;;> global() -> 1
;;> global() -> 1
;;> table() -> 1
;;> table() -> 1
;;> dropped() -> 1
;;> dropped() -> 1
;;> grown() -> 1
;;> grown() -> 1
;;> good() -> 42
(module
  (memory 1)
  (global $g (mut i32) (i32.const 0))
  (table $t 1 funcref)
  (data $d "\01")
  (elem declare func $bad)
  (func $bad unreachable)
  (func (export "memory") (result i32)
    (if (i32.load (i32.const 60000)) (then (loop (br 0))))
    (i32.store (i32.const 60000) (i32.const 1)) (i32.const 1))
  (func (export "global") (result i32)
    (if (global.get $g) (then (loop (drop (memory.grow (i32.const 1))) (br 0))))
    (global.set $g (i32.const 1)) (i32.const 1))
  (func (export "table") (result i32)
    (if (i32.eqz (ref.is_null (table.get $t (i32.const 0)))) (then (call_indirect (i32.const 0))))
    (table.set $t (i32.const 0) (ref.func $bad)) (i32.const 1))
  (func (export "dropped") (result i32)
    (memory.init $d (i32.const 8) (i32.const 0) (i32.const 1)) (data.drop $d) (i32.load (i32.const 8)))
  (func (export "grown") (result i32) (i32.sub (memory.grow (i32.const 1)) (i32.sub (memory.size) (i32.const 2))) )
  (func (export "good") (result i32) (i32.add (i32.const 42) (i32.load (i32.const 60000))))
)
