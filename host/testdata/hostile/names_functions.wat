;; Functions, a memory, a table and globals that are exported under the names that
;; the rewriting uses: they are ordinary, or the module is refused with a clear error.
;;> load -> ? bad module "entangle:"
;;> good() -> 42
;;> spin() -> ! timed out
;;> sum() -> 11
(module
  (global $g0 (export "entangle:g0") (mut i32) (i32.const 1))
  (global $g1 (export "entangle:g1") (mut i64) (i64.const 2))
  (global (export "entangle:budget") (mut f64) (f64.const 4))
  (global (export "entangle:countdown") (mut i32) (i32.const 8))
  (memory (export "entangle:control") 1)
  (table (export "entangle:table") 1 funcref)
  (func (export "entangle:init") (param i32) (result i32) (i32.const 1) unreachable)
  (func (export "entangle:poll") unreachable)
  (func (export "entangle:keep") (result i64) unreachable)
  (func (export "entangle:start") unreachable)
  (func (export "entangle:snapshot") unreachable)
  (func (export "sum") (result i32)
    (global.set $g0 (i32.add (global.get $g0) (i32.const 8)))
    (i32.add (global.get $g0) (i32.wrap_i64 (global.get $g1))))
  (func (export "spin") (i32.store (i32.const 0) (i32.const 0)) (loop (drop (table.grow 0 (ref.null func) (i32.const 1))) (br 0)))
  (func (export "good") (result i32)
    (global.set $g0 (i32.add (global.get $g0) (i32.const 41)))
    (global.set $g1 (i64.const 9))
    (global.get $g0))
)
