;; Sleeping for ever, in small steps, for no time, until a time that was, and for
;; what never comes.
;;> hours() -> ! timed out
;;> steps() -> ! timed out
;;> no_time() -> ! timed out|limit
;;> past() -> ! timed out|limit
;;> most() -> ! timed out
;;> two() -> ! timed out
;;> good() -> 42
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; A subscription to the monotonic clock at $at.
  (func $sub (param $at i32) (param $ns i64) (param $absolute i32)
    (i32.store8 (i32.add (local.get $at) (i32.const 8)) (i32.const 0))
    (i32.store (i32.add (local.get $at) (i32.const 16)) (i32.const 1))
    (i64.store (i32.add (local.get $at) (i32.const 24)) (local.get $ns))
    (i32.store16 (i32.add (local.get $at) (i32.const 40)) (local.get $absolute)))
  (func $sleep (param $ns i64) (param $absolute i32)
    (call $sub (i32.const 0) (local.get $ns) (local.get $absolute))
    (drop (call $poll (i32.const 0) (i32.const 200) (i32.const 1) (i32.const 300))))
  (func (export "hours") (call $sleep (i64.const 36000000000000) (i32.const 0)))
  (func (export "steps") (loop (call $sleep (i64.const 1000) (i32.const 0)) (br 0)))
  (func (export "no_time") (loop (call $sleep (i64.const 0) (i32.const 0)) (br 0)))
  (func (export "past") (loop (call $sleep (i64.const 1) (i32.const 1)) (br 0)))
  (func (export "most") (loop (call $sleep (i64.const -1) (i32.const 0)) (br 0)))
  (func (export "two") ;; the shorter one is an hour too
    (call $sub (i32.const 0) (i64.const 3600000000000) (i32.const 0))
    (call $sub (i32.const 48) (i64.const 7200000000000) (i32.const 0))
    (drop (call $poll (i32.const 0) (i32.const 200) (i32.const 2) (i32.const 300))))
  (func (export "good") (result i32) (i32.const 42))
)
