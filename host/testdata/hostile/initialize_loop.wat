;; _initialize that waits for what nobody will write: never ready.
;;> f() -> ! timed out
(module
  (memory 1)
  (func (export "_initialize") (loop (br_if 0 (i32.eqz (i32.load (i32.const 4))))))
  (func (export "f"))
)
