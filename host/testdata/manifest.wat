;; A module that has to be run for its manifest.
(module
  (func (export "f"))
  (memory (export "memory") 1) (data (i32.const 8) "plain f() # It is small.")
  (func (export "entangle_manifest") (result i64) (i64.const 0x0000000800000018))
)
