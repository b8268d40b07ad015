;; One instruction that takes seconds or more, and loops of such.
;;> fill() memory=2GiB -> ! timed out
;;> copy() memory=2GiB -> ! timed out
;;> copy_down() memory=2GiB -> ! timed out
;;> fills(0) -> ! timed out
;;> fills(8388608) -> ! timed out
;;> copies(8388607) -> ! timed out
;;> inits() -> ! timed out
;;> outside(0) -> ! trapped "out of bounds memory access"
;;> outside(-1) -> ! trapped "out of bounds memory access"
;;> good() -> 42
(module
  (memory 128 32768)
  (data $d "0123456789")
  (func $grow (if (i32.eq (memory.grow (i32.const 32640)) (i32.const -1)) (then unreachable)))
  (func (export "fill") (call $grow) (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x80000000)) (br 0)))
  (func (export "copy") (call $grow) (loop (memory.copy (i32.const 1) (i32.const 0) (i32.const 0x7fffffff)) (br 0)))
  (func (export "copy_down") (call $grow) (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 0x7fffffff)) (br 0)))
  (func (export "fills") (param i32) (loop (memory.fill (i32.const 0) (i32.const 1) (local.get 0)) (br 0)))
  (func (export "copies") (param i32) (loop (memory.copy (i32.const 1) (i32.const 0) (local.get 0)) (br 0)))
  (func (export "inits") (loop (memory.init $d (i32.const 0) (i32.const 0) (i32.const 10)) (br 0)))
  ;; Nothing may be written of a range that is not all there.
  (func (export "outside") (param i32) (memory.fill (i32.const 8) (i32.const 1) (i32.sub (local.get 0) (i32.const 9))))
  (func (export "good") (result i32) (i32.add (i32.const 42) (i32.load (i32.const 8))))
)
