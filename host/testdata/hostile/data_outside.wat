;; A segment that is not all inside, after one that is: no call runs, ever.
;;> f() -> ! trapped "out of bounds memory access"
(module
  (memory 1)
  (data (i32.const 0) "\01")
  (data (i32.const 65533) "abcd")
  (func (export "f") (result i32) (i32.load (i32.const 0)))
)
