;; entangle_alloc that does what it must not, by the length of the arguments. They
;; are a list of one text: a text of n bytes makes n + 2 of them.
;;> t("123456") -> ! timed out
;;> t("1234567") -> ! trapped "unreachable"
;;> t("12345678") -> ! trapped "exit(0)"
;;> t("123456789") -> ! limit "no memory for arguments of 11 bytes"
;;> t("1234567890") -> ! protocol "not aligned to 8"
;;> t("12345678901") -> ! protocol "outside the memory"
;;> t("123456789012") -> ! protocol "outside the memory"
;;> t("1234567890123") -> ! limit "logged more than"
;;> t("12345678901234") -> ! trapped|limit "stack"
;;> t("123456789012345") -> ! failed "no"
;;> t("1234567890123456") -> 18
;;> good() -> 42
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 64) "task t(a: string) -> int\nno")
  (func (export "entangle_manifest") (result i64) (i64.const 0x40_00000019))
  (func $alloc (export "entangle_alloc") (param $n i32) (result i32)
    (block $grow (block $fail (block $deep (block $logs (block $last (block $wraps (block $odd (block $null (block $exits (block $traps (block $spins
      (br_table $spins $traps $exits $null $odd $wraps $last $logs $deep $fail $grow (i32.sub (local.get $n) (i32.const 8))))
      (loop (br 0)))
      unreachable)
      (call $exit (i32.const 0)))
      (return (i32.const 0)))
      (return (i32.const 1028)))
      (return (i32.const -8)))          ;; ends beyond 2^32
      (return (i32.const 131064)))      ;; begins inside, ends outside
      (loop (drop (call $log (i32.const 0) (i32.const 0) (i32.const 65536))) (br 0)))
      (return (call $alloc (local.get $n))))
      (drop (call $fail (i32.const 89) (i32.const 2))) (return (i32.const 1024)))
    (i32.mul (memory.grow (i32.const 1)) (i32.const 65536))) ;; a new page
  ;; The length of its arguments.
  (func (export "t") (param i32 i32) (result i64)
    (i32.store8 (i32.const 8) (local.get 1)) (i64.const 0x8_00000001))
  (func (export "good") (result i32) (i32.const 42))
)
