;; A module that takes a while to initialize.
(module
  (memory 1)
  (func (export "_initialize") (local i64)
    (loop $l
      (local.set 0 (i64.add (local.get 0) (i64.const 1)))
      (i64.store (i32.const 8) (local.get 0))
      (br_if $l (i64.lt_s (local.get 0) (i64.const 50000000)))))
  (func (export "started") (result i64) (i64.load (i32.const 8))))
