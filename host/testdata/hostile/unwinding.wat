;; Work that begins when deep recursion comes back: of each frame a little, in all
;; without an end; and a call tree below each frame.
;;> loops(2000) -> ! timed out
;;> trees(2000) -> ! timed out
;;> spins(2000) -> ! timed out
;;> good() -> 42
(module
  (func $loops (export "loops") (param i32) (local $n i32)
    (if (local.get 0) (then (call $loops (i32.sub (local.get 0) (i32.const 1)))))
    (local.set $n (i32.const 100000000))
    (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func $trees (export "trees") (param i32)
    (if (local.get 0) (then
      (call $trees (i32.sub (local.get 0) (i32.const 1))) (call $trees (i32.sub (local.get 0) (i32.const 1))))))
  (func $spins (export "spins") (param i32)
    (if (local.get 0) (then (call $spins (i32.sub (local.get 0) (i32.const 1)))))
    (loop (br 0)))
  (func (export "good") (result i32) (i32.const 42))
)
