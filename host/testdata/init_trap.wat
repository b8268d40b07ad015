(module
  (func (export "f"))
  (func (export "_initialize") unreachable)
)
