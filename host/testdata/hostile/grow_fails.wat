;; Loops around memory.grow that is refused, each time.
;;> spin() memory=1MiB -> ! timed out
;;> huge() memory=1MiB -> ! timed out
;;> need() memory=1MiB -> ! limit "out of memory"
;;> good() -> 42
(module
  (memory 1)
  (func (export "spin") (loop (drop (memory.grow (i32.const 17))) (br 0)))
  (func (export "huge") (loop (drop (memory.grow (i32.const -1))) (br 0)))
  (func (export "need") (if (i32.eq (memory.grow (i32.const 17)) (i32.const -1)) (then unreachable)))
  (func (export "good") (result i32) (i32.add (i32.const 41) (memory.size)))
)
