;; A command that writes without an end, in one call by vectors that overlap.
;;> main() -> ! limit "standard output"
;;> main() result=1000 -> ! limit
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 64)
  (func (export "_start") (local $i i32)
    (local.set $i (i32.const 1000))
    (loop
      (i32.store (i32.mul (local.get $i) (i32.const 8)) (i32.const 65536))
      (i32.store offset=4 (i32.mul (local.get $i) (i32.const 8)) (i32.const 2097152))
      (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (loop (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1000) (i32.const 16384))) (br 0)))
)
