;; Logs without an end: small lines, one giant line, no line, text that is none, and
;; what steers terminals.
;;> lines() -> ! limit "logged more than"
;;> empty() -> ! timed out|limit
;;> newlines() -> ! limit "logged more than"
;;> giant() -> ! limit "logged more than"
;;> stderr() -> ! limit "logged more than"
;;> stdout() -> ! limit "logged more than"
;;> vectors() -> ! limit "logged more than"
;;> invalid() -> 0
;;> escapes() -> ! failed
;;> lines() logbytes=100 -> ! limit "logged more than 100 bytes"
;;> lines() loglines=3 -> ! limit "more than 3 lines"
;;> newlines() loglines=3 -> ! limit "more than 3 lines"
;;> good() -> 42
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 64)
  (data (i32.const 0) "\ff\fe\c0\80\ed\a0\80\f4\90\80\80\80")
  (data (i32.const 32) "\1b[2J\1b]0;owned\07\08\0d\9b31m")
  (data (i32.const 1024) "0123456789abcdef")
  (func (export "lines") (loop (drop (call $log (i32.const 1) (i32.const 1024) (i32.const 16))) (br 0)))
  (func (export "empty") (loop (drop (call $log (i32.const 1) (i32.const 1024) (i32.const 0))) (br 0)))
  (func (export "newlines") ;; many lines in few calls
    (memory.fill (i32.const 65536) (i32.const 10) (i32.const 65536))
    (loop (drop (call $log (i32.const 1) (i32.const 65536) (i32.const 65536))) (br 0)))
  (func (export "giant") ;; one call, one line
    (memory.fill (i32.const 65536) (i32.const 97) (i32.const 3145728))
    (drop (call $log (i32.const 3) (i32.const 65536) (i32.const 3145728))))
  (func $out (param $fd i32) (param $n i32) ;; $n bytes without a newline, for ever
    (memory.fill (i32.const 65536) (i32.const 98) (i32.const 65536))
    (i32.store (i32.const 256) (i32.const 65536)) (i32.store (i32.const 260) (local.get $n))
    (loop (drop (call $write (local.get $fd) (i32.const 256) (i32.const 1) (i32.const 264))) (br 0)))
  (func (export "stderr") (call $out (i32.const 2) (i32.const 1)))
  (func (export "stdout") (call $out (i32.const 1) (i32.const 4096)))
  ;; One call of 10,000 vectors that share 65,536 bytes: 655 MB.
  (func (export "vectors") (local $i i32)
    (local.set $i (i32.const 10000))
    (loop
      (i32.store (i32.add (i32.const 1048576) (i32.mul (local.get $i) (i32.const 8))) (i32.const 65536))
      (i32.store (i32.add (i32.const 1048580) (i32.mul (local.get $i) (i32.const 8))) (i32.const 65536))
      (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (loop (drop (call $write (i32.const 1) (i32.const 1048584) (i32.const 10000) (i32.const 264))) (br 0)))
  (func (export "invalid") (result i32) (call $log (i32.const 2) (i32.const 0) (i32.const 12)))
  (func (export "escapes")
    (drop (call $log (i32.const 2) (i32.const 32) (i32.const 20)))
    (drop (call $fail (i32.const 32) (i32.const 20))))
  (func (export "good") (result i32) (i32.const 42))
)
