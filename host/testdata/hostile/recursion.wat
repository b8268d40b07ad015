;; Recursion to the end of the stack, by every way of calling.
;;> direct(0) -> ! trapped|limit "stack"
;;> mutual(0) -> ! trapped|limit "stack"
;;> indirect(0) -> ! trapped|limit "stack"
;;> host(0) -> ! trapped|limit "stack"
;;> tree() -> ! trapped|limit "stack"
;;> wide() -> ! trapped|limit "stack"
;;> leaves() -> ! trapped|limit "stack"
;;> direct(0) stack=65536 -> ! trapped|limit "stack"
;;> good() -> 42
(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (type $t (func (param i64) (result i64)))
  (func $direct (export "direct") (param i64) (result i64)
    (i64.add (call $direct (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
  (func $mutual (export "mutual") (param i64) (result i64) (i64.add (call $other (local.get 0)) (i64.const 1)))
  (func $other (param i64) (result i64) (i64.sub (call $mutual (local.get 0)) (i64.const 1)))
  (table funcref (elem $indirect))
  (func $indirect (export "indirect") (param i64) (result i64)
    (i64.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i64.const 1)))
  ;; The host is called at every depth, so also at the last.
  (func $host (export "host") (param i64) (result i64)
    (drop (call $yield)) (i64.add (call $host (local.get 0)) (i64.extend_i32_u (call $yield))))
  (func $tree (export "tree") (result i32) (i32.add (call $tree) (call $tree)))
  (func (export "wide") (call $wide) drop drop drop drop drop drop drop drop)
  (func $wide (result v128 v128 v128 v128 v128 v128 v128 v128)
    (call $wide) (v128.const i32x4 1 1 1 1) (i8x16.add))
  (func $leaves (export "leaves") ;; what is lost is what the call wrote
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (call $leaves) (call $leaves))
  (func (export "good") (result i32) (i32.add (i32.const 42) (i32.load (i32.const 0))))
)
