;; Grows tables for as long as it can, several at once.
;;> creep() -> ! timed out
;;> both() -> ! timed out
;;> all(-1) -> -1
;;> all(0) -> 1
;;> all(1000) table=1000 -> 1
;;> all(1001) table=1000 -> -1
;;> halves(500) table=1000 -> [1,0]
;;> halves(501) table=1000 -> [1,-1]
;;> good() -> 42
(module
  (table $t 1 funcref)
  (table $u 0 externref)
  (func (export "creep") (loop (drop (table.grow $t (ref.null func) (i32.const 1000))) (br 0)))
  (func (export "both")
    (loop (drop (table.grow $t (ref.null func) (i32.const 65536))) (drop (table.grow $u (ref.null extern) (i32.const 65536))) (br 0)))
  (func (export "all") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
  (func (export "halves") (param i32) (result i32 i32)
    (table.grow $t (ref.null func) (local.get 0)) (table.grow $u (ref.null extern) (local.get 0)))
  (func (export "good") (result i32) (i32.add (i32.const 41) (i32.add (table.size $t) (table.size $u))))
)
