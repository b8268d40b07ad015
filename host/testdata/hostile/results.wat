;; Results that are not there, that are no values, or that are more than there is.
;;> huge() -> ! protocol "outside the memory"
;;> outside() -> ! protocol "outside the memory"
;;> wraps() -> ! protocol "outside the memory"
;;> end() -> ! protocol "outside the memory"
;;> unaligned() -> 1
;;> claims() -> ! protocol
;;> bytes() -> ! protocol
;;> array() -> ! protocol
;;> deep() -> ! protocol
;;> many() -> ! protocol|limit
;;> null() -> null
;;> twice() -> ! failed "xxxx"
;;> all() result=1000 -> ! limit
;;> good() -> 42
(module
  (import "entangle_v1" "fail" (func $fail (param i32 i32) (result i32)))
  (memory (export "memory") 256)
  (data (i32.const 3) "\01")
  (data (i32.const 16) "\9a\7f\ff\ff\ff\00")          ;; a list of 2^31 - 1
  (data (i32.const 32) "\5b\7f\ff\ff\ff\ff\ff\ff\ff") ;; bytes: 2^63 - 1 of them
  (data (i32.const 48) "\d8\28\82\82\1b\7f\ff\ff\ff\ff\ff\ff\ff\1b\7f\ff\ff\ff\ff\ff\ff\ff\d8\40\40") ;; an array of 2^63 squared
  (data (i32.const 96) "\5a\00\0f\ff\fb")             ;; a mebibyte in all
  (data (i32.const 1024) "task huge() -> any\0atask outside() -> any\0atask wraps() -> any\0atask end() -> any\0atask unaligned() -> any\0a"
    "task claims() -> any\0atask bytes() -> any\0atask array() -> any\0atask deep() -> any\0atask many() -> any\0atask null() -> any\0a"
    "task twice() -> any\0atask all() -> any\0a#")
  (func (export "entangle_manifest") (result i64) (local $n i32)
    (loop (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if 0 (i32.ne (i32.load8_u (i32.add (i32.const 1024) (local.get $n))) (i32.const 35))))
    (i64.or (i64.const 0x400_00000000) (i64.extend_i32_u (local.get $n))))
  (func (export "entangle_alloc") (param i32) (result i32) (i32.const 4096))
  (func (export "huge") (param i32 i32) (result i64) (i64.const 0x00000000_80000000))
  (func (export "outside") (param i32 i32) (result i64) (i64.const 0x01000000_00000001))
  (func (export "wraps") (param i32 i32) (result i64) (i64.const 0xffffffff_ffffffff))
  (func (export "end") (param i32 i32) (result i64) (i64.const 0x00ffffff_00000002))
  (func (export "unaligned") (param i32 i32) (result i64) (i64.const 0x3_00000001))
  (func (export "claims") (param i32 i32) (result i64) (i64.const 0x10_00000006))
  (func (export "bytes") (param i32 i32) (result i64) (i64.const 0x20_00000009))
  (func (export "array") (param i32 i32) (result i64) (i64.const 0x30_00000019))
  (func (export "deep") (param i32 i32) (result i64) ;; a million lists in one another
    (memory.fill (i32.const 65536) (i32.const 0x81) (i32.const 1000000)) (i64.const 0x10000_000f4241))
  (func (export "many") (param i32 i32) (result i64) ;; a list of 9,000,000 nulls
    (memory.fill (i32.const 65541) (i32.const 0xf6) (i32.const 9000000))
    (i32.store8 (i32.const 65536) (i32.const 0x9a)) (i32.store (i32.const 65537) (i32.const 0x40548900))
    (i64.const 0x10000_00895445))
  (func (export "null") (param i32 i32) (result i64) (i64.const 0x01000000_00000000)) ;; nothing, at the end
  (func (export "twice") (param i32 i32) (result i64) ;; the last message counts, and the result does not
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 4))
    (drop (call $fail (i32.const 0) (i32.const 4))) (drop (call $fail (i32.const 65536) (i32.const 4))) (i64.const -1))
  (func (export "all") (param i32 i32) (result i64)
    (memory.copy (i32.const 65536) (i32.const 96) (i32.const 5)) (i64.const 0x10000_00100000))
  (func (export "good") (result i32) (i32.const 42))
)
