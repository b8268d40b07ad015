(module
  (func (export "f"))
  (func $boom unreachable) (start $boom)
)
