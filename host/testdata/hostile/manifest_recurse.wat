;; entangle_manifest that uses up the stack.
;;> load -> ! bad module "stack"
(module
  (memory (export "memory") 1)
  (func $m (export "entangle_manifest") (result i64) (i64.add (call $m) (i64.const 1)))
  (func (export "f"))
)
