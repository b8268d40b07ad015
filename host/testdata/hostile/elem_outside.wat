;; An element segment that is not all inside.
;;> f() -> ! trapped "table"
(module
  (table 2 funcref)
  (elem (i32.const 1) $f $f)
  (func $f (export "f"))
)
