;; A start function that does not end, in memory that it has changed before.
;; Loading may run it or not; a call ends at its deadline, each time.
;;> f() -> ! timed out
;;> g() -> ! timed out
(module
  (memory 1)
  (start $spin)
  (func $spin (i32.store (i32.const 0) (i32.const 1)) (loop (br 0)))
  (func (export "f"))
  (func (export "g") (result i32) (i32.load (i32.const 0)))
)
