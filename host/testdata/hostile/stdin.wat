;; Reads standard input, which is empty, until there is something.
;;> reads() -> ! timed out|limit
;;> polls() -> ! timed out|limit
;;> good() -> 42
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "reads")
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 1024))
    (loop
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
      (br_if 0 (i32.eqz (i32.load (i32.const 16))))))
  (func (export "polls") ;; until it can be read
    (i32.store8 (i32.const 8) (i32.const 1))
    (loop (drop (call $poll (i32.const 0) (i32.const 200) (i32.const 1) (i32.const 300))) (br 0)))
  (func (export "good") (result i32) (i32.const 42))
)
