;; Leaks a secret through the stack pointer, which pure functions may move if they
;; bring it back: these look as if they did, and do not on every way out; and
;; through what lies below it.
(module
  (memory 2)
  (global $sp (mut i32) (i32.const 65536))
  (func $n (param i64) (result i32) (i32.and (i32.wrap_i64 (local.get 0)) (i32.const 0xff0)))
  (func (export "hide") (param i64) ;; never brings it back
    (global.set $sp (i32.sub (global.get $sp) (call $n (local.get 0)))))
  (func (export "hide_branch") (param i64) (local i32)
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (i32.const 16))))
    (if (i32.wrap_i64 (i64.and (local.get 0) (i64.const 1))) (then (return)))
    (global.set $sp (i32.add (local.get 1) (i32.const 16))))
  (func (export "hide_break") (param i64) (local i32)
    (block
      (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (i32.const 32))))
      (br_if 0 (i32.wrap_i64 (i64.and (local.get 0) (i64.const 1))))
      (global.set $sp (i32.add (local.get 1) (i32.const 32)))))
  (func (export "hide_trap") (param i64) (local i32)
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (call $n (local.get 0)))))
    (if (i32.wrap_i64 (i64.and (local.get 0) (i64.const 1))) (then unreachable))
    (global.set $sp (i32.add (local.get 1) (call $n (local.get 0)))))
  (func (export "hide_divide") (param i64) (result i64) (local i32) ;; no trap to be seen
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (call $n (local.get 0)))))
    (i64.div_u (i64.const 1) (i64.const 0))
    (global.set $sp (i32.add (local.get 1) (call $n (local.get 0)))))
  (func (export "hide_load") (param i64) (result i64) (local i32) ;; the same
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (call $n (local.get 0)))))
    (i64.load (i32.const -1))
    (global.set $sp (i32.add (local.get 1) (call $n (local.get 0)))))
  (func (export "hide_spin") (param i64) (local i32)
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (call $n (local.get 0)))))
    (loop (br 0))
    (global.set $sp (i32.add (local.get 1) (call $n (local.get 0)))))
  (func $deep (param i64) (local i32)
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (call $n (local.get 0)))))
    (call $deep (local.get 0))
    (global.set $sp (i32.add (local.get 1) (call $n (local.get 0)))))
  (func (export "hide_overflow") (param i64) (call $deep (local.get 0)))
  (func (export "hide_other") (param i64) (local i32) ;; brings it back by another amount
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (i32.const 16))))
    (global.set $sp (i32.add (local.get 1) (call $n (local.get 0)))))
  (func (export "hide_moved") (param i64) (local i32) ;; what it brings back is another value
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (i32.const 16))))
    (local.set 1 (i32.sub (local.get 1) (call $n (local.get 0))))
    (global.set $sp (i32.add (local.get 1) (i32.const 16))))
  (func (export "hide_below") (param i64) (local i32) ;; a frame, as clang makes it
    (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (i32.const 16))))
    (i64.store offset=8 (local.get 1) (local.get 0))
    (global.set $sp (i32.add (local.get 1) (i32.const 16))))
  (func (export "find") (result i64) (i64.extend_i32_u (global.get $sp)))
  (func (export "find_below") (result i64) (i64.load (i32.sub (global.get $sp) (i32.const 8))))
)
