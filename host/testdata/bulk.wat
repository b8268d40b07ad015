;; Loops of few turns, each of which takes long.
(module
  (memory 1600)
  (func (export "fill") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 104857600)) (br 0)))
  (func (export "copy") (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 104857599)) (br 0)))
)
