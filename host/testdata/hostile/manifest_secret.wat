;; entangle_manifest that leaves something behind, which no call may see.
;;> f() -> 0
(module
  (memory (export "memory") 1)
  (global $g (mut i32) (i32.const 0))
  (func (export "entangle_manifest") (result i64)
    (i32.store (i32.const 100) (i32.const 7)) (global.set $g (i32.const 7)) (drop (memory.grow (i32.const 1))) (i64.const 0))
  (func (export "f") (result i32)
    (i32.or (i32.sub (memory.size) (i32.const 1)) (i32.or (i32.load (i32.const 100)) (global.get $g))))
)
