;; Tables of 1,048,576 entries each: three are more than a module may have.
;;> load -> ! bad module "entries"
(module (table 1048576 funcref) (table 1048576 externref) (table 1048576 funcref) (func (export "f")))
