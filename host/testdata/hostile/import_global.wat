;; Imports, as globals and memory, what the host may have for itself.
;;> load -> ! bad module "entangle:host.control (memory)" "entangle:host.countdown (global)"
(module
  (import "entangle:host" "control" (memory 1))
  (import "entangle:host" "countdown" (global (mut i32)))
  (func (export "f") (global.set 0 (i32.const 0x7fffffff)))
)
