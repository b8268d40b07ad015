;; Loops around calls of the host that do next to nothing. A deadline ends them,
;; or the limit of such calls.
;;> clock() -> ! timed out|limit
;;> random() -> ! timed out|limit
;;> write() -> ! timed out|limit
;;> yield() -> ! timed out|limit
;;> args() -> ! timed out|limit
;;> fail() -> ! timed out|limit
;;> log_empty() -> ! timed out|limit
;;> clock() hostcalls=1000 -> ! limit "call"
;;> fail() hostcalls=1000 -> ! limit "call"
;;> some(999) hostcalls=1000 -> 0
;;> some(1000) hostcalls=1000 -> 0
;;> some(1001) hostcalls=1000 -> ! limit
;;> good() -> 42
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "clock") (loop (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 0))) (br 0)))
  (func (export "random") (loop (drop (call $random (i32.const 0) (i32.const 65536))) (br 0)))
  (func (export "write") (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8))) (br 0)))
  (func (export "yield") (loop (drop (call $yield)) (br 0)))
  (func (export "args") (loop (drop (call $args (i32.const 0) (i32.const 8))) (br 0)))
  (func (export "fail") (loop (drop (call $fail (i32.const 0) (i32.const 65536))) (br 0)))
  (func (export "log_empty") (loop (drop (call $log (i32.const 0) (i32.const 0) (i32.const 0))) (br 0)))
  (func (export "some") (param i32) (result i32)
    (loop (drop (call $yield)) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))
  (func (export "good") (result i32) (i32.const 42))
)
