(module
  (func (export "f"))
  (func $s (loop (br 0))) (start $s)
)
