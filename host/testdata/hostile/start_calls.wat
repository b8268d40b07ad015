;; A start function that calls the host and then a tree of calls without an end.
;;> f() -> ! timed out
(module
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (start $s)
  (func $s (drop (call $fail (i32.const 0) (i32.const 1))) (drop (call $fib (i32.const 90))))
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (i32.const 1))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "f"))
)
