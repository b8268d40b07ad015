package wasi

import "entangle.example/entangle/host/internal/instrument"

// A Function is one that a guest may import from Module.
type Function struct {
	Name string
	Type instrument.FuncType
	// Call serves one call of the function. mem is the guest's memory, nil if it has
	// none. stack has the parameters, and room for the result: stack[0] is the errno
	// when Call returns nil. An error ends the guest's call: an *Exit, or what a
	// writer, Config.Sleep or Config.Stopped returned, which a guest must not be able
	// to ignore.
	Call func(s *State, mem []byte, stack []uint64) error
}

// Functions are all of preview 1, sorted by name.
var Functions = []Function{
	function("args_get", "ii", argsGet),
	function("args_sizes_get", "ii", argsSizesGet),
	function("clock_res_get", "ii", clockResGet),
	function("clock_time_get", "iIi", clockTimeGet),
	function("environ_get", "ii", environGet),
	function("environ_sizes_get", "ii", environSizesGet),
	function("fd_advise", "iIIi", fdAdvise),
	function("fd_allocate", "iII", fdAllocate),
	function("fd_close", "i", fdClose),
	function("fd_datasync", "i", fdSync),
	function("fd_fdstat_get", "ii", fdFdstatGet),
	function("fd_fdstat_set_flags", "ii", fdFdstatSetFlags),
	function("fd_fdstat_set_rights", "iII", fdFdstatSetRights),
	function("fd_filestat_get", "ii", fdFilestatGet),
	function("fd_filestat_set_size", "iI", fdFilestatSetSize),
	function("fd_filestat_set_times", "iIIi", fdFilestatSetTimes),
	function("fd_pread", "iiiIi", fdPread),
	function("fd_prestat_dir_name", "iii", fdPrestatDirName),
	function("fd_prestat_get", "ii", fdPrestatGet),
	function("fd_pwrite", "iiiIi", fdPwrite),
	function("fd_read", "iiii", fdRead),
	function("fd_readdir", "iiiIi", fdReaddir),
	function("fd_renumber", "ii", fdRenumber),
	function("fd_seek", "iIii", fdSeek),
	function("fd_sync", "i", fdSync),
	function("fd_tell", "ii", fdTell),
	function("fd_write", "iiii", fdWrite),
	function("path_create_directory", "iii", pathCreateDirectory),
	function("path_filestat_get", "iiiii", pathFilestatGet),
	function("path_filestat_set_times", "iiiiIIi", pathFilestatSetTimes),
	function("path_link", "iiiiiii", pathLink),
	function("path_open", "iiiiiIIii", pathOpen),
	function("path_readlink", "iiiiii", pathReadlink),
	function("path_remove_directory", "iii", pathRemoveDirectory),
	function("path_rename", "iiiiii", pathRename),
	function("path_symlink", "iiiii", pathSymlink),
	function("path_unlink_file", "iii", pathUnlinkFile),
	function("poll_oneoff", "iiii", pollOneoff),
	{"proc_exit", signature("i", false), procExit},
	function("proc_raise", "i", procRaise),
	function("random_get", "ii", randomGet),
	function("sched_yield", "", schedYield),
	function("sock_accept", "iii", notSocket),
	function("sock_recv", "iiiiii", notSocket),
	function("sock_send", "iiiii", notSocket),
	function("sock_shutdown", "ii", notSocket),
}

// function makes a Function of one that returns nil, an errno, or what ends the call.
func function(name, params string, do func(*State, memory, []uint64) error) Function {
	return Function{name, signature(params, true), func(s *State, mem []byte, stack []uint64) error {
		err := do(s, mem, stack)
		if e, ok := err.(errno); ok { // it is never wrapped
			stack[0], err = uint64(e), nil
		} else if err == nil {
			stack[0] = 0
		}
		return err
	}}
}

// signature is the type of a function: "i" is an i32, "I" an i64.
func signature(params string, result bool) (t instrument.FuncType) {
	for _, p := range params {
		if p == 'I' {
			t.Params = append(t.Params, instrument.I64)
		} else {
			t.Params = append(t.Params, instrument.I32)
		}
	}
	if result {
		t.Results = []instrument.ValType{instrument.I32}
	}
	return t
}
