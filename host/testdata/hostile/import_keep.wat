;; Imports entangle:host.keep, which the rewriting imports: guests have no such thing.
;;> load -> ! bad module "entangle:host.keep"
(module
  (import "entangle:host" "keep" (func $f))
  (func (export "f") (call $f))
)
