;; What does not end by itself.
(module
  (func (export "spin") (loop (br 0)))
  ;; No loop in these two: an engine that looks at the time in loops only is stuck.
  (func $fib (export "fib") (param i64) (result i64)
    (if (result i64) (i64.lt_s (local.get 0) (i64.const 2))
      (then (local.get 0))
      (else (i64.add
        (call $fib (i64.sub (local.get 0) (i64.const 1)))
        (call $fib (i64.sub (local.get 0) (i64.const 2)))))))
  (func $tail (export "tail") (return_call $tail))
  (table funcref (elem $indirect))
  (func $indirect (export "indirect") (return_call_indirect (i32.const 0)))
  (func $recurse (export "recurse") (param i64) (result i64)
    (i64.add (call $recurse (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
)
