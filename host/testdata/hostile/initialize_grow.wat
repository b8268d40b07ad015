;; _initialize that takes all memory there is, and a table, and then traps: the
;; next attempt finds as much.
;;> f() memory=16MiB -> ! trapped|limit
;;> f() memory=1MiB -> ! trapped|limit
(module
  (memory 1)
  (table 1 funcref)
  (func (export "_initialize")
    (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (drop (table.grow 0 (ref.null func) (i32.const 1000)))
    (i32.store (i32.const 8) (i32.const 1))
    unreachable)
  (func (export "f"))
)
