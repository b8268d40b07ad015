;; Leaks a secret through descriptors, of which a test grants a directory at /d (with a
;; file x in it), or nothing: files left open, those that were closed, offsets, flags.
;;> differs() files -> 1
;;> differs() -> 0
;;> find() grant=fs:rw=/ -> ! denied "does not grant"
(module
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags" (func $flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "x")
  ;; $end ends a call: 0 returns, 1 traps, 2 spins, 3 exits, 4 grows, 5 fails, 6 overflows.
  (func $end (param $how i32)
    (block $deep (block $fails (block $grows (block $exits (block $spins (block $traps (block $returns
      (br_table $returns $traps $spins $exits $grows $fails $deep (local.get $how)))
      (return)) unreachable)
      (loop (br 0)))
      (call $exit (i32.const 0)))
      (drop (memory.grow (i32.const 3))) (return))
      (drop (call $fail (i32.const 0) (i32.const 0))) (return))
    (call $end (i32.const 6)) (call $end (i32.const 6)))
  (func $file (result i32) ;; the descriptor of x, or -1
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 0) (i64.const 0x26) (i64.const 0) (i32.const 0) (i32.const 512))
      (then (return (i32.const -1))))
    (i32.load (i32.const 512)))
  ;; As many files as its last bits say.
  (func (export "hide") (param $secret i64) (param $how i32) (local $n i32)
    (local.set $n (i32.and (i32.wrap_i64 (local.get $secret)) (i32.const 15)))
    (loop (drop (call $file)) (br_if 0 (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0))))
    (call $end (local.get $how)))
  ;; An offset, in a file that stays open.
  (func (export "hide_offset") (param $secret i64) (param $how i32)
    (drop (call $seek (call $file) (i64.shr_u (local.get $secret) (i64.const 2)) (i32.const 0) (i32.const 520)))
    (call $end (local.get $how)))
  ;; The streams and the directory itself.
  (func (export "hide_closed") (param $secret i64) (param $how i32)
    (if (i32.wrap_i64 (i64.and (local.get $secret) (i64.const 1))) (then (drop (call $close (i32.const 3)))))
    (if (i32.wrap_i64 (i64.and (local.get $secret) (i64.const 2))) (then (drop (call $close (i32.const 0)))))
    (drop (call $close (i32.const 1)))
    (drop (call $close (i32.const 2)))
    (call $end (local.get $how)))
  (func (export "hide_numbers") (param $secret i64) (param $how i32)
    (drop (call $renumber (call $file) (i32.and (i32.wrap_i64 (local.get $secret)) (i32.const 63))))
    (drop (call $renumber (i32.const 1) (i32.const 0)))
    (call $end (local.get $how)))
  (func (export "hide_flags") (param $secret i64) (param $how i32)
    (drop (call $flags (i32.const 0) (i32.and (i32.wrap_i64 (local.get $secret)) (i32.const 5))))
    (drop (call $flags (i32.const 1) (i32.and (i32.wrap_i64 (local.get $secret)) (i32.const 5))))
    (call $end (local.get $how)))
  ;; What each of the first 64 descriptors is.
  (func $find (export "find") (result i64) (local $fd i32) (local $sum i64)
    (loop
      (i64.store (i32.const 1024) (i64.const 0))
      (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.extend_i32_u (call $stat (local.get $fd) (i32.const 1024)))))
      (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.load (i32.const 1024))))
      (br_if 0 (i32.lt_u (local.tee $fd (i32.add (local.get $fd) (i32.const 1))) (i32.const 64))))
    (local.get $sum))
  (func (export "find_offset") (result i64) (local $fd i32) (local $sum i64)
    (local.set $fd (i32.const 4))
    (loop
      (i64.store (i32.const 1024) (i64.const 0))
      (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.extend_i32_u (call $tell (local.get $fd) (i32.const 1024)))))
      (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.load (i32.const 1024))))
      (br_if 0 (i32.lt_u (local.tee $fd (i32.add (local.get $fd) (i32.const 1))) (i32.const 64))))
    (local.get $sum))
  (func (export "find_next") (result i64) (i64.extend_i32_s (call $file))) ;; the number that the next file gets
  (func (export "differs") (result i32) (local i64) ;; can find tell?
    (local.set 0 (call $find)) (drop (call $file)) (i64.ne (local.get 0) (call $find)))
)
