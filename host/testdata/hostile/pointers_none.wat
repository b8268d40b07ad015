;; Calls the host without having any memory.
;;> log(0, 1) -> 1
;;> log(0, 0) -> 0
;;> fail(0, 1) -> 1
;;> random(0, 8) -> ! *
;;> good() -> 42
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (func (export "log") (param i32 i32) (result i32) (call $log (i32.const 1) (local.get 0) (local.get 1)))
  (func (export "fail") (param i32 i32) (result i32) (call $fail (local.get 0) (local.get 1)))
  (func (export "random") (param i32 i32) ;; an errno, or a trap: nothing else can be meant
    (if (call $random (local.get 0) (local.get 1)) (then unreachable)))
  (func (export "good") (result i32) (i32.const 42))
)
