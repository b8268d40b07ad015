;; Typed tasks that break the rules; the tests add the manifest.
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 4)
  (data (i32.const 16) "bad\ff")
  (data (i32.const 32) "\82\01")          ;; a list of two with one element
  (data (i32.const 48) "\00\01\02\03\04\05\06\07\08\09")
  (global $init (mut i32) (i32.const 9))

  (func (export "_initialize")
    (global.set $init (call $fail (i32.const 16) (i32.const 3))))

  ;; The length of the arguments says what it does; others get 1024.
  (func (export "entangle_alloc") (param $size i32) (result i32)
    (if (i32.eq (local.get $size) (i32.const 3)) (then (return (i32.const 0))))
    (if (i32.eq (local.get $size) (i32.const 4)) (then (return (i32.const -8))))
    (if (i32.eq (local.get $size) (i32.const 5)) (then (return (i32.const 1028))))
    (if (i32.eq (local.get $size) (i32.const 6)) (then (loop (br 0))))
    (if (i32.eq (local.get $size) (i32.const 7)) (then unreachable))
    (i32.const 1024))
  (func (export "echo") (param i32 i32) (result i64) (call $at (local.get 0) (local.get 1)))

  (func $at (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))
  ;; One byte of 0 to 23 is that number in CBOR.
  (func $digit (param $n i32) (result i64)
    (i32.store8 (i32.const 0) (local.get $n)) (call $at (i32.const 0) (i32.const 1)))

  (func (export "outside") (param i32 i32) (result i64) (call $at (i32.const 262143) (i32.const 2)))
  (func (export "huge") (param i32 i32) (result i64) (call $at (i32.const 0) (i32.const -1)))
  (func (export "wrap") (param i32 i32) (result i64) (call $at (i32.const -1) (i32.const 17)))
  (func (export "broken") (param i32 i32) (result i64) (call $at (i32.const 32) (i32.const 2)))
  (func (export "trailing") (param i32 i32) (result i64) (call $at (i32.const 48) (i32.const 2)))
  (func (export "other") (param i32 i32) (result i64) (call $digit (i32.const 7)))
  (func (export "nothing") (param i32 i32) (result i64) (i64.const 0))

  (func (export "init_status") (param i32 i32) (result i64) (call $digit (global.get $init)))
  (func (export "fail_pointer") (param i32 i32) (result i64)
    (call $digit (call $fail (i32.const 262143) (i32.const 2))))
  (func (export "fail_text") (param i32 i32) (result i64)
    (drop (call $fail (i32.const 16) (i32.const 4))) (i64.const -1))
  (func (export "fail_long") (param i32 i32) (result i64)
    (memory.fill (i32.const 65536) (i32.const 97) (i32.const 65537))
    (i32.store8 (i32.const 65536) ;; the message begins with the status
      (i32.add (i32.const 48) (call $fail (i32.const 65536) (i32.const 65537))))
    (drop (call $fail (i32.const 65536) (i32.const 65536))) (i64.const 0))
  (func (export "fail_trap") (param i32 i32) (result i64)
    (drop (call $fail (i32.const 16) (i32.const 3))) unreachable)
  (func (export "log_level") (param i32 i32) (result i64)
    (call $digit (call $log (i32.const 4) (i32.const 16) (i32.const 3))))
  (func (export "log_pointer") (param i32 i32) (result i64)
    (call $digit (call $log (i32.const 1) (i32.const -1) (i32.const 2))))
  (func (export "log_text") (param i32 i32) (result i64)
    (call $digit (call $log (i32.const 2) (i32.const 16) (i32.const 4))))
  (func (export "log_flood") (param i32 i32) (result i64)
    (loop (drop (call $log (i32.const 0) (i32.const 1024) (i32.const 1000))) (br 0)) unreachable)

  (func $iovec (param $ptr i32) (param $len i32)
    (i32.store (i32.const 256) (local.get $ptr)) (i32.store (i32.const 260) (local.get $len)))
  (func (export "print") (param i32 i32) (result i64)
    (call $iovec (i32.const 16) (i32.const 3))
    (call $digit (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 264))))
  ;; 10 GiB, 64 KiB at a time.
  (func (export "print_flood") (param i32 i32) (result i64) (local $n i32)
    (call $iovec (i32.const 65536) (i32.const 65536))
    (loop
      (drop (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 264)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $n) (i32.const 163840))))
    (i64.const 0))
  ;; How many bytes standard input has, or 20 + the errno.
  (func (export "stdin") (param i32 i32) (result i64) (local $errno i32)
    (call $iovec (i32.const 512) (i32.const 100))
    (local.set $errno (call $read (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 264)))
    (if (local.get $errno) (then (return (call $digit (i32.add (i32.const 20) (local.get $errno))))))
    (call $digit (i32.load (i32.const 264))))
  (func (export "sleep") (param i32 i32) (result i64)
    (i32.store8 (i32.const 520) (i32.const 0))                     ;; a clock
    (i64.store (i32.const 536) (i64.const 3600000000000))          ;; an hour from now
    (drop (call $poll (i32.const 512) (i32.const 600) (i32.const 1) (i32.const 700)))
    (call $digit (i32.const 1)))
  (func (export "poll_many") (param i32 i32) (result i64) ;; its 48 bytes each wrap around to 32
    (drop (call $poll (i32.const 512) (i32.const 600) (i32.const 89478486) (i32.const 700)))
    (call $digit (i32.const 1)))
  (func (export "renumber") (param i32 i32) (result i64)
    (drop (call $renumber (i32.const 1) (i32.const 0x7fffffff))) (call $digit (i32.const 1)))
  (func (export "exit") (param i32 i32) (result i64) (call $exit (i32.const 3)) unreachable)
)
