;; Leaks a secret, a bit each, through segments that are dropped or not. find traps
;; where one is gone, which is an answer too.
(module
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (table $t 8 funcref)
  (data $d0 "0") (data $d1 "1") (data $d2 "2") (data $d3 "3")
  (elem $e0 func $end) (elem $e1 func $end)
  ;; $end ends a call: 0 returns, 1 traps, 2 spins, 3 exits, 4 grows, 5 fails, 6 overflows.
  (func $end (param $how i32)
    (block $deep (block $fails (block $grows (block $exits (block $spins (block $traps (block $returns
      (br_table $returns $traps $spins $exits $grows $fails $deep (local.get $how)))
      (return)) unreachable)
      (loop (br 0)))
      (call $exit (i32.const 0)))
      (drop (memory.grow (i32.const 3))) (return))
      (drop (call $fail (i32.const 0) (i32.const 0))) (return))
    (call $end (i32.const 6)) (call $end (i32.const 6)))
  (func (export "hide") (param $secret i64) (param $how i32)
    (if (i32.wrap_i64 (i64.and (local.get $secret) (i64.const 1))) (then (data.drop $d0)))
    (if (i32.wrap_i64 (i64.and (local.get $secret) (i64.const 2))) (then (data.drop $d1)))
    (if (i32.wrap_i64 (i64.and (local.get $secret) (i64.const 4))) (then (data.drop $d2)))
    (if (i32.wrap_i64 (i64.and (local.get $secret) (i64.const 8))) (then (elem.drop $e0)))
    (call $end (local.get $how)))
  (func (export "hide_data") (param i64) (data.drop $d3)) ;; all that it does
  (func (export "hide_elem") (param i64) (elem.drop $e1))
  (func (export "find") (result i64)
    (memory.init $d0 (i32.const 0) (i32.const 0) (i32.const 1))
    (memory.init $d1 (i32.const 1) (i32.const 0) (i32.const 1))
    (memory.init $d2 (i32.const 2) (i32.const 0) (i32.const 1))
    (memory.init $d3 (i32.const 3) (i32.const 0) (i32.const 1))
    (table.init $t $e0 (i32.const 0) (i32.const 0) (i32.const 1))
    (table.init $t $e1 (i32.const 1) (i32.const 0) (i32.const 1))
    (i64.load (i32.const 0)))
  (func (export "find_dropped") (result i64) ;; there is nothing to see for what only drops
    (data.drop $d0) (data.drop $d3) (elem.drop $e1) (i64.const 1))
)
