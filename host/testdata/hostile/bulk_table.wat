;; Loops around instructions that work on a table of two million entries.
;;> fills() -> ! timed out
;;> copies() -> ! timed out
;;> inits() -> ! timed out
;;> sets() -> ! timed out
;;> grows() -> ! timed out
;;> good() -> 42
(module
  (table $t 2000000 funcref)
  (elem $e func $f $f $f)
  (func $f)
  (func (export "fills") (loop (table.fill $t (i32.const 0) (ref.func $f) (i32.const 2000000)) (br 0)))
  (func (export "copies") (loop (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 1999999)) (br 0)))
  (func (export "inits") (loop (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 3)) (br 0)))
  (func (export "sets") (loop (table.set $t (i32.const 5) (ref.func $f)) (br 0)))
  (func (export "grows") (loop (drop (table.grow $t (ref.null func) (i32.const -1))) (br 0)))
  (func (export "good") (result i32)
    (i32.add (i32.const 41) (ref.is_null (table.get $t (i32.const 5)))))
)
