;; Imports entangle:host.poll, which the rewriting imports: guests have no such thing.
;;> load -> ! bad module "entangle:host.poll"
(module
  (import "entangle:host" "poll" (func $f))
  (func (export "f") (call $f))
)
