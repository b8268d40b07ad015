;; Begins with more memory than a call may have: it does not run, and says why.
;;> f() -> ! limit "begins with 2 GiB of memory, and the limit is 256 MiB"
;;> f() memory=1MiB -> ! limit "the limit is 1 MiB"
;;> f() memory=2GiB -> 0
(module
  (memory 32768)
  (func (export "f") (result i32) (i32.load (i32.const 0x7ffffffc)))
)
