(module
  (func (export "f"))
  (memory (export "memory") 8192)
)
