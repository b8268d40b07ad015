package enginetest

import (
	"context"
	"strconv"
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// What try_tables catch, and what locals are then that they have set: by the engine
// itself where it is right, by modules that were mended for it where it is not.

// A catching is a module, and what its function 0 returns for 0, 1, 2 and so on.
type catching struct {
	functions []function
	want      []int32 // or traps
}

const traps = -1 << 31

var catchings = map[string]catching{
	// A local of ours has the value that it had when a callee threw, or something was
	// thrown after it had returned, whatever its own try_table has set and however it was
	// left: by its own label, by branches, returns, exceptions, or at its end.
	"callee": {[]function{
		{"i32>i32", "i32,i32", `
			block > block >i32
				try_table > catch 0 1 catch 1 0 do
					local.get 0 i32.const 1000 i32.add local.set 1
					local.get 0 call 1 local.set 2
					throw 0
				end
				unreachable
			end drop end
			local.get 1 i32.const 1000 i32.mul local.get 2 i32.add`},
		{"i32>i32", "i32", `
			block >i32 block > loop >
				try_table > catch 1 2 do
					i32.const 100 local.set 1
					local.get 0 i32.const 0 i32.eq if > br 1 end
					local.get 0 i32.const 1 i32.eq if > br 3 end
					local.get 0 i32.const 2 i32.eq br_if 2
					local.get 0 i32.const 3 i32.eq if > i32.const 0 br_table : 3 end
					local.get 0 i32.const 4 i32.eq if > i32.const 1 br_table 1 3 : 1 end
					local.get 0 i32.const 5 i32.eq if > i32.const 55 return end
					local.get 0 i32.const 6 i32.eq if > local.get 0 return_call 2 end
					local.get 0 i32.const 7 i32.eq if > local.get 0 i32.const 2 return_call_indirect i32>i32 0 end
					local.get 0 i32.const 8 i32.eq if > local.get 0 throw 1 end
					local.get 0 i32.const 9 i32.eq if > throw 0 end
					local.get 0 i32.const 10 i32.eq if > i32.const 9 call 1 drop end
					local.get 0 i32.const 11 i32.eq if > i32.const 13 local.set 0 br 2 end
					local.get 0 i32.const 12 i32.eq if > local.get 0 return_call 3 end
				end
			end end
			i32.const 1
			end
			local.get 1 i32.add local.tee 1`},
		{"i32>i32", "", "local.get 0 i32.const 7 i32.add"},
		{"i32>i32", "", "local.get 0 throw 1"},
	}, []int32{1000101, 1001101, 1002101, 1003101, 1004101, 1005055, 1006013, 1007014, 1008108, 1009000, 1010000, 1011101, 1012000, 1013101}},

	// A try_table that was left catches nothing: 1. One inside it that has no clauses
	// does not end it: 2.
	"left": {[]function{{"i32>i32", "", `
		block >
			try_table > catch 0 0 do
				block > block >
					try_table > catch_all 1 do
						local.get 0 i32.const 0 i32.eq if > br 1 end
						local.get 0 i32.const 1 i32.eq if > br 2 end
						local.get 0 i32.const 2 i32.eq br_if 0
						local.get 0 i32.const 3 i32.eq if > i32.const 0 br_table : 2 end
						local.get 0 i32.const 4 i32.eq if > i32.const 0 br_table 1 2 : 1 end
						local.get 0 i32.const 5 i32.eq if > try_table > catch 0 2 do throw 0 end end
						local.get 0 i32.const 6 i32.eq if > try_table > catch 0 1 do throw 0 end end
						local.get 0 i32.const 7 i32.eq if > try_table > do br 3 end end
						local.get 0 i32.const 8 i32.eq if > try_table > do try_table > do return_call 1 end end end
						local.get 0 i32.const 9 i32.eq if > try_table > do end throw 0 end
						local.get 0 i32.const 10 i32.eq if > try_table > do throw 0 end end
						local.get 0 i32.const 11 i32.eq if > try_table > do br 0 end throw 0 end
					end
				end
				throw 0
				end
				i32.const 2 return
			end
		end
		i32.const 1`},
		{">i32", "", "i32.const 3"},
	}, []int32{1, 1, 1, 1, 1, 1, 1, 1, 3, 2, 2, 2, 1}},

	// The same, with locals that are set.
	"left with locals": {[]function{{"i32>i32", "i32,i32,i32", `
		block >
			try_table > catch 0 0 do
				i32.const 1 local.set 1
				block > block >
					try_table > catch_all 1 do
						i32.const 10 local.set 2
						local.get 0 i32.const 0 i32.eq if > br 1 end
						local.get 0 i32.const 1 i32.eq if > i32.const 100 local.set 3 br 2 end
						local.get 0 i32.const 2 i32.eq if > try_table > catch 0 2 do i32.const 100 local.set 3 throw 0 end end
						local.get 0 i32.const 3 i32.eq if > try_table > catch 0 1 do i32.const 20 local.set 2 throw 0 end end
						local.get 0 i32.const 4 i32.eq if > try_table > do i32.const 30 local.set 2 end throw 0 end
						local.get 0 i32.const 5 i32.eq if > try_table > catch_all 1 do i32.const 40 local.set 2 throw 0 end end
						local.get 0 i32.const 6 i32.eq if > block >i32 try_table > catch 1 0 do i32.const 50 local.set 2 i32.const 2 throw 1 end unreachable end local.set 3 end
					end
				end
				local.get 1 i32.const 1 i32.add local.set 1
				throw 0
				end
				local.get 1 local.get 2 i32.add local.get 3 i32.add i32.const 1000 i32.add return
			end
		end
		local.get 1 local.get 2 i32.add local.get 3 i32.add`},
	}, []int32{12, 112, 112, 22, 1031, 42, 54, 12}},

	// What is read at the head of a loop was set in the round before.
	"loop": {[]function{{"i32>i32", "i32,i32,i32", `
		loop >
			local.get 2 local.get 3 i32.add local.set 3
			block >
				try_table > catch 0 0 do
					local.get 1 i32.const 7 i32.mul local.set 2
					throw 0
				end
			end
			local.get 1 i32.const 1 i32.add local.tee 1
			local.get 0 i32.lt_s br_if 0
		end
		local.get 3`}}, []int32{0, 0, 0, 7, 21, 42}},
	"head of a loop": {[]function{{"i32>i32", "i32", `
		i32.const 3
		loop i32>
			drop
			try_table > catch 1 0 do
				local.get 1 i32.const 1 i32.add local.tee 1
				local.get 0 i32.lt_s if > i32.const 4 throw 1 end
			end
		end
		local.get 1`}}, []int32{1, 1, 2, 3, 4}},

	"nested": {[]function{{"i32>i32", "i32,i32", `
		block > block >i32
			try_table > catch 1 0 do
				i32.const 1 local.set 1
				block >
					try_table > catch 0 0 do
						i32.const 2 local.set 1
						i32.const 100 local.set 2
						local.get 0 i32.const 0 i32.eq if > throw 0 end
						local.get 0 i32.const 1 i32.eq if > i32.const 5 throw 1 end
						i32.const 200 local.set 2
						local.get 0 i32.const 2 i32.eq if > throw 0 end
						br 2
					end
				end
				local.get 1 local.get 2 i32.add local.set 1
				i32.const 6 throw 1
			end
			local.get 1 i32.const 1000 i32.mul return
		end
		local.get 1 i32.add return
		end
		local.get 1 i32.const 7 i32.add`}}, []int32{108, 7, 208, 2000}},

	"one after the other": {[]function{{"i32>i32", "i32,i32", `
		block > try_table > catch 0 0 do i32.const 1 local.set 1 throw 0 end end
		block > try_table > catch 0 0 do
			local.get 1 i32.const 10 i32.add local.set 1
			i32.const 5 local.set 2
			throw 0
		end end
		local.get 1 local.get 2 i32.add`}}, []int32{16, 16}},
	"recursion": {[]function{{"i32>i32", "i32,i32", `
		block >
			try_table > catch 0 0 do
				local.get 0 i32.const 10 i32.mul local.set 1
				local.get 0 i32.eqz if > throw 0 end
				local.get 0 i32.const 1 i32.sub call 0 local.set 2
				throw 0
			end
		end
		local.get 1 local.get 2 i32.add`}}, []int32{0, 10, 30, 60, 100}},
	// Through frames that catch something else.
	"through": {[]function{
		{"i32>i32", "i32,i32", `
			block >
				try_table > catch 0 0 do
					i32.const 1 local.set 1
					local.get 0 call 1 local.set 2
				end
				unreachable
			end
			local.get 1 local.get 2 i32.add`},
		{"i32>i32", "i32,i32", `
			block >i32
				try_table > catch 1 0 do
					i32.const 50 local.set 1
					i32.const 60 local.set 2
					local.get 0 i32.eqz if > throw 0 end
					local.get 0 i32.const 1 i32.sub call 1 drop
				end
				i32.const 0
			end
			local.get 1 i32.add local.get 2 i32.add`},
	}, []int32{1, 1, 1, 1}},

	"values": {[]function{{"i32>i32", "i32,exnref", `
		i32.const 1 i32.const 2
		block i32>i32,i32
			block i32>i32,exnref
				try_table i32>i32,i32 catch_ref 1 0 do
					i32.const 10 i32.add
					local.tee 1
					local.get 0 i32.const 0 i32.eq if i32>i32 throw 1 end
					i32.const 100
					local.get 0 i32.const 1 i32.eq br_if 0
					local.get 0 i32.const 2 i32.eq br_if 2
					i32.const 3 i32.mul
					local.get 0 i32.const 3 i32.sub br_table 0 : 2
				end
				br 1
			end
			local.set 2
			i32.const 1000
		end
		i32.add i32.add
		local.get 1 i32.const 10000 i32.mul i32.add
		local.get 2 ref.is_null i32.add`}}, []int32{121013, 120114, 120114, 120314, 120314, 120314}},

	// Each type of local.
	"types": {[]function{{"i32>i32", "i32,i64,f32,f64,v128,funcref,exnref,externref", `
		block >
			block >exnref try_table > catch_all_ref 0 do throw 0 end unreachable end
			try_table exnref> catch 0 0 do
				local.set 7
				i32.const 1 local.set 1
				i64.const 2 local.set 2
				f32.const 4 local.set 3
				f64.const 8 local.set 4
				i32.const 16 i32x4.splat local.set 5
				ref.func 0 local.set 6
				ref.null externref local.set 8
				local.get 0 i32.eqz if > unreachable end
				throw 0
			end
		end
		local.get 1 local.get 2 i32.wrap_i64 i32.add
		local.get 3 i32.trunc_f32_s i32.add local.get 4 i32.trunc_f64_s i32.add
		local.get 5 i32x4.extract_lane 2 i32.add
		local.get 6 ref.is_null i32.const 100 i32.mul i32.add
		local.get 7 ref.is_null i32.const 1000 i32.mul i32.add
		local.get 8 ref.is_null i32.const 10000 i32.mul i32.add`}}, []int32{traps, 10031, 10031}},

	// A trap is no exception, and nothing of it is left for the next call.
	"traps": {[]function{
		{"i32>i32", "i32,i32", `
			block >
				try_table > catch_all 0 do
					local.get 0 local.set 1
					local.get 0 call 1 local.set 2
					throw 0
				end
			end
			local.get 1 local.get 2 i32.add`},
		{"i32>i32", "i32", `
			block >
				try_table > catch_all 0 do
					i32.const 77 local.set 1
					i32.const 10 local.get 0 i32.div_s drop
				end
			end
			local.get 1`},
	}, []int32{traps, 78, 79}},
	// What nothing catches is a trap, and what was kept is thrown again.
	// What was kept is thrown again, and what nothing catches is a trap.
	"thrown again": {[]function{
		{"i32>i32", "exnref,i32", `
			block >i32
				block >exnref
					try_table > catch_all_ref 0 do
						local.get 0 throw 1
					end
					unreachable
				end
				local.set 1
				block >exnref
					try_table > catch 1 1 catch_all_ref 0 do
						local.get 0 i32.const 100 i32.add local.set 2
						local.get 0 i32.const 2 i32.eq if > local.get 0 return_call 1 end
						local.get 0 i32.const 3 i32.eq if > throw 0 end
						local.get 1 throw_ref
					end
					unreachable
				end
				throw_ref
			end
			local.get 2 i32.add`},
		{"i32>i32", "", "local.get 0 throw 1"},
	}, []int32{100, 102, traps, traps, 108}},
}

func testCatches(t *testing.T, open Open) {
	for name, c := range catchings {
		t.Run(name, func(t *testing.T) {
			e := start(t, open, Options())
			binary := assemble(t, c.functions...)
			for _, check := range []instrument.Check{e.Check(), instrument.Unchecked} {
				c.run(t, e, binary, check)
			}
		})
	}
}

func (c catching) run(t *testing.T, e engine.Engine, binary []byte, check instrument.Check) {
	r, err := instrument.Rewrite(binary, check)
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Compile(context.Background(), r, [32]byte{byte(check)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	in, err := m.Instantiate(engine.Config{Tables: 1, Data: &state{}})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	fn := m.Func("0")
	for range 2 {
		for i, want := range c.want {
			stack := []uint64{uint64(i)}
			err := in.Call(fn, stack)
			got := strconv.Itoa(int(int32(stack[0])))
			if err != nil {
				got = err.Error()
			}
			if trap, ok := err.(*engine.Trap); want == traps && !ok || want != traps && got != strconv.Itoa(int(want)) {
				t.Errorf("check %d: %d gives %v, want %d (%v)", check, i, got, want, trap)
			}
		}
	}
}
