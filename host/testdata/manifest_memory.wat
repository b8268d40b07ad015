(module
  (func (export "f"))
  (memory (export "memory") 8192) (data (i32.const 8) "plain f() # It is big.") (func (export "entangle_manifest") (result i64) (i64.const 0x0000000800000016))
)
