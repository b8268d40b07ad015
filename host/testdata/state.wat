;; Every kind of state that an instance has.
(module
  (memory (export "memory") 1 65536)
  (global $g (mut i32) (i32.const 0))
  (table $t 1 funcref)
  (data $d "\01")
  ;; next changes each of them, and returns what it found: 1 if all is new.
  (func (export "next") (result i32)
    (global.set $g (i32.add (global.get $g) (i32.const 1)))
    (i32.store (i32.const 1000) (i32.add (i32.load (i32.const 1000)) (global.get $g)))
    (drop (table.grow $t (ref.null func) (i32.const 1)))
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) ;; traps where it was dropped
    (data.drop $d)
    (drop (memory.grow (i32.const 1)))
    (i32.add (i32.load (i32.const 1000))
      (i32.add (i32.sub (table.size $t) (i32.const 2))
               (i32.sub (memory.size) (i32.const 2)))))
  (func (export "grow") (param $pages i32) (result i32) (memory.grow (local.get $pages)))
  (func (export "need") (param $pages i32)
    (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then unreachable)))
  (func (export "entries") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
)
