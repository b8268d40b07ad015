;; Imports its own export, and another module's.
;;> load -> ! bad module "self.f (func)" "plain.add (func)"
(module
  (import "self" "f" (func $f))
  (import "plain" "add" (func (param i32 i32) (result i32)))
  (func (export "f") (call $f))
)
