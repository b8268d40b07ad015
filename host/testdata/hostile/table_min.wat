;; A table of 2^31 entries.
;;> load -> ! bad module "table of 2147483648 entries"
(module (table 2147483648 funcref) (func (export "f")))
