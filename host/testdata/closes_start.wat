;; A guest that closes its standard input when it is initialized: no image can have that.
(module
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func (export "_initialize") (drop (call $fd_close (i32.const 0))))

  ;; 8 (EBADF) times 100, and 1 in a pristine instance.
  (func (export "closed") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.add (i32.mul (call $fd_close (i32.const 0)) (i32.const 100)) (global.get $calls)))
  (func (export "entangle_manifest") (result i64) (i64.const 0x1000000000)))
