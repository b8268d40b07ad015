;; What keeps a worker busy, each in a way of its own, and what a test can check
;; right after that.
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1 65536)
  (global $calls (mut i64) (i64.const 0))

  (func $forever (loop (br 0)))
  (func $deeper (call $forever))
  (func $loop (export "loop") (call $deeper))
  (func $tree (export "tree") (param i64) (result i64) ;; fib
    (if (result i64) (i64.lt_s (local.get 0) (i64.const 2))
      (then (local.get 0))
      (else (i64.add
        (call $tree (i64.sub (local.get 0) (i64.const 1)))
        (call $tree (i64.sub (local.get 0) (i64.const 2)))))))
  (func $tail (export "tail") (return_call $tail))
  (func $host_calls (export "host_calls") (loop (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 0))) (br 0)))

  ;; The memory has so many MiB then.
  (func $room (param $mib i32)
    (if (i32.eq (memory.grow (i32.sub (i32.shl (local.get $mib) (i32.const 4)) (i32.const 1))) (i32.const -1))
      (then unreachable)))
  (func $fill (export "fill") (param $mib i32)
    (call $room (local.get $mib))
    (loop (memory.fill (i32.const 0) (i32.const 1) (i32.shl (local.get $mib) (i32.const 20))) (br 0)))
  (func $copy (export "copy") (param $mib i32)
    (call $room (local.get $mib))
    (loop
      (memory.copy (i32.const 1) (i32.const 0) (i32.sub (i32.shl (local.get $mib) (i32.const 20)) (i32.const 1)))
      (br 0)))

  (func $nap (param $ns i64)
    (i64.store (i32.const 24) (local.get $ns))
    (i32.store (i32.const 16) (i32.const 1)) ;; the monotonic clock
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))
  ;; naps sleeps so many times for so many nanoseconds, and returns how often it did.
  (func $naps (export "naps") (param $n i64) (param $ns i64) (result i64) (local $i i64)
    (loop
      (call $nap (local.get $ns))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if 0 (i64.lt_u (local.get $i) (local.get $n))))
    (local.get $i))
  (func $sleep (export "sleep") (drop (call $naps (i64.const 1) (i64.const 3600000000000))))

  ;; count returns how many calls this instance has made: 1, unless state is left.
  (func $count (export "count") (result i64)
    (i64.store (i32.const 65000) (i64.add (i64.load (i32.const 65000)) (i64.const 1)))
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (if (i64.ne (global.get $calls) (i64.load (i32.const 65000))) (then unreachable))
    (global.get $calls))
  ;; probe asks for more memory than it may have and goes on without.
  (func $probe (export "probe") (drop (memory.grow (i32.const 65000))) (call $forever))
  ;; need asks for so many MiB of memory, and traps without.
  (func $need (export "need") (param $mib i32) (call $room (local.get $mib)))
  (func $trap (export "trap") (call $broken))
  (func $broken unreachable)

  ;; lines logs a line so many times; text logs so many bytes at once.
  (func $lines (export "lines") (param i32)
    (block (loop
      (br_if 1 (i32.eqz (local.get 0)))
      (drop (call $log (i32.const 1) (i32.const 64) (i32.const 1)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br 0))))
  (func $text (export "text") (param i32) (drop (call $log (i32.const 1) (i32.const 64) (local.get 0))))
  (func $down (export "down") (param i64) (result i64) ;; so many calls deep
    (if (result i64) (i64.eqz (local.get 0))
      (then (i64.const 0))
      (else (i64.add (call $down (i64.sub (local.get 0) (i64.const 1))) (i64.const 1)))))
)
