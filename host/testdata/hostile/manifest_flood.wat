;; entangle_manifest that logs without an end.
;;> load -> ! bad module "logged more than"
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "entangle_manifest") (result i64)
    (loop (drop (call $log (i32.const 1) (i32.const 0) (i32.const 65536))) (br 0)) unreachable)
  (func (export "f"))
)
