;; entangle_manifest that does not end: loading ends when its caller has had enough.
;;> load timeout=100ms -> ! timed out
(module
  (memory (export "memory") 1)
  (func (export "entangle_manifest") (result i64) (loop (br 0)) unreachable)
  (func (export "f"))
)
