;; Segments at addresses that only wrap into the memory.
;;> f() -> ! trapped "out of bounds memory access"
(module
  (memory 1)
  (data (i32.const -4) "abcdefgh")
  (func (export "f") (result i32) (i32.load (i32.const 0)))
)
