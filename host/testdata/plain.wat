;; Exports of numbers, without any SDK.
(module
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "none"))
  (func (export "several") (param i32 f64) (result i64 f64 i32)
    (i64.extend_i32_s (local.get 0)) (f64.neg (local.get 1)) (i32.const -1))
  (func (export "divide") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1)))

  (func $inner unreachable)
  (func $middle (call $inner))
  (func (export "trap") (call $middle))

  (func (export "vector") (result v128) (v128.const i64x2 0 0)) ;; no task
  (func (export "_hidden"))                                     ;; nor this
)
