;; wat2wasm spin.wat: a task that never ends.
(module (func (export "spin") (loop (br 0))))
