;; Leaks a secret through memory: zero pages, data that is overwritten, the last bytes,
;; and pages that grew and were given back. hide's second argument is how it ends.
(module
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 3)
  (data (i32.const 1024) "what the module began with.......")
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
  (func $put (param $at i32) (param $secret i64) (i64.store (local.get $at) (local.get $secret)))
  (func (export "hide") (param $secret i64) (param $how i32)
    (call $put (i32.const 4096) (local.get $secret))    ;; as a stack would
    (call $put (i32.const 100000) (local.get $secret))  ;; as a heap would
    (call $put (i32.const 1028) (local.get $secret))
    (call $put (i32.const 196600) (local.get $secret))
    (call $put (i32.const 131068) (local.get $secret))  ;; over the edge of a page
    (call $end (local.get $how)))
  (func (export "hide_grown") (param $secret i64) (param $how i32)
    (drop (memory.grow (i32.const 5)))
    (call $put (i32.const 196604) (local.get $secret))
    (call $put (i32.const 524280) (local.get $secret))
    (call $end (local.get $how)))
  (func (export "hide_sparse") (param $secret i64) (param $how i32) (local $i i32) ;; a bit a page
    (drop (memory.grow (i32.const 61)))
    (loop
      (i64.store8 (i32.mul (local.get $i) (i32.const 65536)) (i64.and (local.get $secret) (i64.const 1)))
      (local.set $secret (i64.shr_u (local.get $secret) (i64.const 1)))
      (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64))))
    (call $end (local.get $how)))
  ;; All of memory, as it is and after growing, in one number.
  (func $sum (result i64) (local $i i32) (local $sum i64)
    (local.set $i (i32.mul (memory.size) (i32.const 65536)))
    (loop
      (local.set $sum (i64.add (i64.rotl (local.get $sum) (i64.const 7))
        (i64.load (local.tee $i (i32.sub (local.get $i) (i32.const 8))))))
      (br_if 0 (local.get $i)))
    (i64.add (local.get $sum) (i64.extend_i32_u (memory.size))))
  (func (export "find") (result i64) (call $sum))
  (func (export "find_grown") (result i64) (drop (memory.grow (i32.const 61))) (call $sum))
)
