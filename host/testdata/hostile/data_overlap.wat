;; Active segments over one another, in an order that counts, over memory's end, and
;; empty at it.
;;> f() -> 67305985
;;> last() -> 9
;;> good() -> 42
(module
  (memory 1)
  (data (i32.const 0) "\09\09\09\09\09\09\09\09")
  (data (i32.const 0) "\01\02\07\08")
  (data (i32.const 2) "\03\04")
  (data (i32.const 65535) "\09")
  (data (i32.const 65536) "")
  (func (export "f") (result i32) (i32.load (i32.const 0)))
  (func (export "last") (result i32) (i32.load8_u (i32.const 65535)))
  (func (export "good") (result i32) (i32.store8 (i32.const 1) (i32.const 40)) (i32.add (i32.load8_u (i32.const 1)) (i32.load8_u (i32.const 1))) (i32.sub (i32.const 38)))
)
