;; Takes and touches all memory it can get, at once and page by page, and asks for more.
;;> touch() memory=32MiB -> ! limit "out of memory"
;;> creep() memory=32MiB -> ! timed out
;;> all(65535) memory=32MiB -> -1
;;> all(511) memory=32MiB -> 1
;;> all(512) memory=32MiB -> -1
;;> reach() memory=4GiB -> 7
;;> reach() memory=32MiB -> ! limit "out of memory"
;;> last() memory=4GiB -> -1
;;> good() -> 42
(module
  (memory 1 65536)
  (func (export "touch")
    (loop
      (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
      (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const -1))
      (br 0)))
  (func (export "creep") (loop (drop (memory.grow (i32.const 1))) (br 0)))
  (func (export "all") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "reach") (result i32)
    (if (i32.eq (memory.grow (i32.const 65534)) (i32.const -1)) (then unreachable))
    (i32.store (i32.const -65540) (i32.const 7))
    (i32.add (i32.load (i32.const -65540)) (i32.load (i32.const 65536))))
  ;; The page that would make it 4 GiB: not every engine has it, so none gives it.
  (func (export "last") (result i32) (memory.grow (i32.const 65535)))
  (func (export "good") (result i32) (i32.add (i32.const 41) (memory.size)))
)
