;; A manifest of 2 GiB that is not there, at an address where none can be.
;;> load -> ! bad module "entangle_manifest returned no text"
(module
  (memory (export "memory") 1)
  (func (export "entangle_manifest") (result i64) (i64.const 0xffffffff_80000000))
)
