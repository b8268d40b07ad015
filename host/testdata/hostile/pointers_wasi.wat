;; Pointers that are not into the memory, given to every function of WASI that takes
;; one. all has a bit for each of them, in the order below, that was done all the same;
;; none is. counts asks for so many vectors that their size wraps: what that does is
;; the engine's business, as long as it ends, and takes no memory for them.
;;> all(65533, 4) -> 0
;;> all(65533, 4) files -> 0
;;> all(65536, 1) -> 0
;;> all(65536, 1) files -> 0
;;> all(-1, 1) -> 0
;;> all(-1, 1) files -> 0
;;> all(-1, -1) -> 0
;;> all(-1, -1) files -> 0
;;> all(-4, 8) -> 0
;;> all(-4, 8) files -> 0
;;> all(-65536, 65537) -> 0
;;> all(-65536, 65537) files -> 0
;;> all(2147483647, 2147483647) -> 0
;;> all(2147483647, 2147483647) files -> 0
;;> counts(536870912) -> null
;;> counts(-1) -> null
;;> counts(536870912) files -> null
;;> counts(-1) files -> null
;;> polls(89478486) -> 0
;;> polls(-1) -> 0
;;> inner() -> 0
;;> inner() files -> 0
;;> descriptors() -> 0
;;> descriptors() files -> 0
;;> good() -> 42
(module
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_res_get" (func $clock_res_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get" (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread" (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $fd_tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory" (func $path_create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_set_times" (func $path_filestat_set_times (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_link" (func $path_link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_readlink" (func $path_readlink (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_remove_directory" (func $path_remove_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename" (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink" (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $path_unlink_file (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $sock_recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send" (func $sock_send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_advise" (func $fd_advise (param i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_allocate" (func $fd_allocate (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $fd_renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $fd_filestat_set_size (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (global $done (mut i64) (i64.const 0))
  (func $bit (param $errno i32) (param $bit i64)
    (if (i32.eqz (local.get $errno)) (then (global.set $done (i64.or (global.get $done) (i64.shl (i64.const 1) (local.get $bit)))))))
  (func (export "all") (param i32 i32) (result i64)
    (call $bit (call $args_get (local.get 0) (i32.const 0)) (i64.const 0))
    (call $bit (call $args_sizes_get (local.get 0) (i32.const 0)) (i64.const 1))
    (call $bit (call $clock_res_get (i32.const 1) (local.get 0)) (i64.const 2))
    (call $bit (call $clock_time_get (i32.const 1) (i64.const 0) (local.get 0)) (i64.const 3))
    (call $bit (call $environ_sizes_get (local.get 0) (i32.const 0)) (i64.const 4))
    (call $bit (call $fd_fdstat_get (i32.const 1) (local.get 0)) (i64.const 5))
    (call $bit (call $fd_filestat_get (i32.const 3) (local.get 0)) (i64.const 6))
    (call $bit (call $fd_pread (i32.const 3) (local.get 0) (local.get 1) (i64.const 0) (i32.const 8)) (i64.const 7))
    (call $bit (call $fd_prestat_get (i32.const 3) (local.get 0)) (i64.const 8))
    (call $bit (call $fd_pwrite (i32.const 3) (local.get 0) (local.get 1) (i64.const 0) (i32.const 8)) (i64.const 9))
    (call $bit (call $fd_read (i32.const 0) (local.get 0) (local.get 1) (i32.const 8)) (i64.const 10))
    (call $bit (call $fd_readdir (i32.const 3) (local.get 0) (local.get 1) (i64.const 0) (i32.const 8)) (i64.const 11))
    (call $bit (call $fd_tell (i32.const 3) (local.get 0)) (i64.const 12))
    (call $bit (call $fd_write (i32.const 1) (local.get 0) (local.get 1) (i32.const 8)) (i64.const 13))
    (call $bit (call $fd_seek (i32.const 3) (i64.const 0) (i32.const 1) (local.get 0)) (i64.const 14))
    (call $bit (call $path_create_directory (i32.const 3) (local.get 0) (local.get 1)) (i64.const 15))
    (call $bit (call $path_filestat_get (i32.const 3) (i32.const 0) (local.get 0) (local.get 1) (i32.const 64)) (i64.const 16))
    (call $bit (call $path_filestat_set_times (i32.const 3) (i32.const 0) (local.get 0) (local.get 1) (i64.const 0) (i64.const 0) (i32.const 0)) (i64.const 17))
    (call $bit (call $path_link (i32.const 3) (i32.const 0) (local.get 0) (local.get 1) (i32.const 3) (local.get 0) (local.get 1)) (i64.const 18))
    (call $bit (call $path_open (i32.const 3) (i32.const 0) (local.get 0) (local.get 1) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8)) (i64.const 19))
    (call $bit (call $path_readlink (i32.const 3) (local.get 0) (local.get 1) (i32.const 64) (i32.const 8) (i32.const 16)) (i64.const 20))
    (call $bit (call $path_remove_directory (i32.const 3) (local.get 0) (local.get 1)) (i64.const 21))
    (call $bit (call $path_rename (i32.const 3) (local.get 0) (local.get 1) (i32.const 3) (local.get 0) (local.get 1)) (i64.const 22))
    (call $bit (call $path_symlink (local.get 0) (local.get 1) (i32.const 3) (local.get 0) (local.get 1)) (i64.const 23))
    (call $bit (call $path_unlink_file (i32.const 3) (local.get 0) (local.get 1)) (i64.const 24))
    (call $bit (call $poll_oneoff (local.get 0) (local.get 0) (local.get 1) (i32.const 8)) (i64.const 25))
    (call $bit (call $random_get (local.get 0) (local.get 1)) (i64.const 26))
    (call $bit (call $sock_accept (i32.const 3) (i32.const 0) (local.get 0)) (i64.const 27))
    (call $bit (call $sock_recv (i32.const 3) (local.get 0) (local.get 1) (i32.const 0) (i32.const 8) (i32.const 16)) (i64.const 28))
    (call $bit (call $sock_send (i32.const 3) (local.get 0) (local.get 1) (i32.const 0) (i32.const 8)) (i64.const 29))
    (call $bit (call $fd_prestat_dir_name (i32.const 3) (local.get 0) (local.get 1)) (i64.const 30))
    (global.get $done))
  (func (export "counts") (param i32)
    (drop (call $fd_pread (i32.const 3) (i32.const 0) (local.get 0) (i64.const 0) (i32.const 8)))
    (drop (call $fd_pwrite (i32.const 3) (i32.const 0) (local.get 0) (i64.const 0) (i32.const 8)))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (local.get 0) (i32.const 8)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (local.get 0) (i32.const 8)))
    (drop (call $sock_recv (i32.const 3) (i32.const 0) (local.get 0) (i32.const 0) (i32.const 8) (i32.const 16)))
    (drop (call $sock_send (i32.const 3) (i32.const 0) (local.get 0) (i32.const 0) (i32.const 8))))
  (func (export "polls") (param i32) (result i64)
    (call $bit (call $poll_oneoff (i32.const 0) (i32.const 0) (local.get 0) (i32.const 8)) (i64.const 0))
    (global.get $done))
  ;; The vector is inside, and what it points at is not.
  (func (export "inner") (result i64)
    (i32.store (i32.const 128) (i32.const 65532)) (i32.store (i32.const 132) (i32.const 8))
    (call $bit (call $fd_pwrite (i32.const 3) (i32.const 128) (i32.const 1) (i64.const 0) (i32.const 8)) (i64.const 0))
    (call $bit (call $fd_write (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 8)) (i64.const 1))
    (i32.store (i32.const 128) (i32.const -1)) (i32.store (i32.const 132) (i32.const -1))
    (call $bit (call $fd_pwrite (i32.const 3) (i32.const 128) (i32.const 1) (i64.const 0) (i32.const 8)) (i64.const 2))
    (call $bit (call $fd_write (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 8)) (i64.const 3))
    (global.get $done))
  ;; Descriptors, offsets and sizes that cannot be.
  (func (export "descriptors") (result i64)
    (call $bit (call $fd_close (i32.const -1)) (i64.const 0))
    (call $bit (call $fd_tell (i32.const -1) (i32.const 8)) (i64.const 1))
    (call $bit (call $fd_advise (i32.const -1) (i64.const -1) (i64.const -1) (i32.const 9)) (i64.const 2))
    (call $bit (call $fd_allocate (i32.const -1) (i64.const -1) (i64.const -1)) (i64.const 3))
    (call $bit (call $fd_filestat_set_size (i32.const -1) (i64.const -1)) (i64.const 4))
    (call $bit (call $fd_renumber (i32.const -1) (i32.const 2147483647)) (i64.const 5))
    (call $bit (call $fd_renumber (i32.const 1000) (i32.const -1)) (i64.const 6))
    (call $bit (call $fd_readdir (i32.const -1) (i32.const 0) (i32.const 9) (i64.const -1) (i32.const 64)) (i64.const 7))
    (call $bit (call $fd_close (i32.const 2147483647)) (i64.const 8))
    (call $bit (call $fd_tell (i32.const 2147483647) (i32.const 8)) (i64.const 9))
    (call $bit (call $fd_advise (i32.const 2147483647) (i64.const -1) (i64.const -1) (i32.const 9)) (i64.const 10))
    (call $bit (call $fd_allocate (i32.const 2147483647) (i64.const -1) (i64.const -1)) (i64.const 11))
    (call $bit (call $fd_filestat_set_size (i32.const 2147483647) (i64.const -1)) (i64.const 12))
    (call $bit (call $fd_renumber (i32.const 2147483647) (i32.const 2147483647)) (i64.const 13))
    (call $bit (call $fd_renumber (i32.const 1000) (i32.const 2147483647)) (i64.const 14))
    (call $bit (call $fd_readdir (i32.const 2147483647) (i32.const 0) (i32.const 9) (i64.const -1) (i32.const 64)) (i64.const 15))
    (call $bit (call $fd_close (i32.const -2147483648)) (i64.const 16))
    (call $bit (call $fd_tell (i32.const -2147483648) (i32.const 8)) (i64.const 17))
    (call $bit (call $fd_advise (i32.const -2147483648) (i64.const -1) (i64.const -1) (i32.const 9)) (i64.const 18))
    (call $bit (call $fd_allocate (i32.const -2147483648) (i64.const -1) (i64.const -1)) (i64.const 19))
    (call $bit (call $fd_filestat_set_size (i32.const -2147483648) (i64.const -1)) (i64.const 20))
    (call $bit (call $fd_renumber (i32.const -2147483648) (i32.const 2147483647)) (i64.const 21))
    (call $bit (call $fd_renumber (i32.const 1000) (i32.const -2147483648)) (i64.const 22))
    (call $bit (call $fd_readdir (i32.const -2147483648) (i32.const 0) (i32.const 9) (i64.const -1) (i32.const 64)) (i64.const 23))
    (call $bit (call $fd_close (i32.const 1000)) (i64.const 24))
    (call $bit (call $fd_tell (i32.const 1000) (i32.const 8)) (i64.const 25))
    (call $bit (call $fd_advise (i32.const 1000) (i64.const -1) (i64.const -1) (i32.const 9)) (i64.const 26))
    (call $bit (call $fd_allocate (i32.const 1000) (i64.const -1) (i64.const -1)) (i64.const 27))
    (call $bit (call $fd_filestat_set_size (i32.const 1000) (i64.const -1)) (i64.const 28))
    (call $bit (call $fd_renumber (i32.const 1000) (i32.const 2147483647)) (i64.const 29))
    (call $bit (call $fd_renumber (i32.const 1000) (i32.const 1000)) (i64.const 30))
    (call $bit (call $fd_readdir (i32.const 1000) (i32.const 0) (i32.const 9) (i64.const -1) (i32.const 64)) (i64.const 31))
    (global.get $done))
  (func (export "good") (result i32) (i32.const 42))
)
