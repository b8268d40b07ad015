;; Tables that grow, beside an export that touches none.
(module
  (table $t 1 funcref)
  (func $entries (export "entries") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
  (func $five (export "five") (result i32) (i32.const 5))
)
