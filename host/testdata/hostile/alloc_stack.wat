;; entangle_alloc that gives the host a place where the module has something: the
;; guest's own loss, and the next call finds it as it was.
;;> t("aaaaaaaa") -> ! protocol
;;> good() -> 42
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\18\2a")
  (data (i32.const 64) "task t(a: string) -> string\0a")
  (func (export "entangle_manifest") (result i64) (i64.const 0x40_0000001b))
  (func (export "entangle_alloc") (param i32) (result i32) (i32.const 8))
  (func (export "t") (param i32 i32) (result i64)
    (i32.store (i32.const 8) (i32.const -1)) (i64.const 0x8_00000004))
  (func (export "good") (result i32) (i32.load8_u (i32.const 1)))
)
