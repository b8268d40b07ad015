(module
  (func (export "f"))
  (func (export "_initialize") (loop (br 0)))
)
