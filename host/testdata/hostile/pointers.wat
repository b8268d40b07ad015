;; Pointers that are not into the memory, given to log and fail. Status 1 is their
;; answer, and nothing is done: no call below fails.
;;> log(65536, 1) -> 1
;;> log(65535, 2) -> 1
;;> log(0, -1) -> 1
;;> log(-1, 1) -> 1
;;> log(-1, -1) -> 1
;;> log(-65536, 65537) -> 1
;;> log(0, 65537) -> 1
;;> log(2147483647, 2147483647) -> 1
;;> log(65536, 0) -> 0
;;> fail(65536, 1) -> 1
;;> fail(0, -1) -> 1
;;> fail(-1, -1) -> 1
;;> fail(-1, 2) -> 1
;;> level(4) -> 2
;;> level(-1) -> 2
;;> good() -> 42
(module
  (import "entangle_v1" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (memory 1)
  (func (export "log") (param i32 i32) (result i32) (call $log (i32.const 1) (local.get 0) (local.get 1)))
  (func (export "fail") (param i32 i32) (result i32) (call $fail (local.get 0) (local.get 1)))
  (func (export "level") (param i32) (result i32) (call $log (local.get 0) (i32.const 0) (i32.const 0)))
  (func (export "good") (result i32) (i32.const 42))
)
