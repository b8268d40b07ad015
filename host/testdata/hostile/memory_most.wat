;; Begins with 4 GiB and one byte of it set at the very end, by a segment.
;;> f() -> ! limit "begins with 4 GiB of memory"
;;> f() memory=4GiB -> ! limit "begins with 4 GiB of memory, and the limit is 4095.9 MiB"
(module
  (memory 65536)
  (data (i32.const -1) "\07")
  (func (export "f") (result i32) (i32.load8_u (i32.const -1)))
)
