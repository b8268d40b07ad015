package enginetest

import (
	"fmt"
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// What has been set in a try_table that catches, and which try_table catches what: as it
// is where the engine is right, and as it has to be where modules are mended for it.

// A catching is a module, and what calls of its function 0 with 0, 1, 2 and so on give.
type catching struct {
	functions []function
	want      []int32 // or trapped
}

const trapped = -1 << 31

// leaving is a function that sets a local in a try_table which may be read behind a
// catch, and leaves it in the way that its parameter says.
var leaving = function{"i32>i32", "i32", `
	block >i32
	block >
	block >
	loop >
		try_table > catch 1 3 do
			i32.const 100 local.set 1
			local.get 0 i32.const 0 i32.eq if > br 1 end
			local.get 0 i32.const 1 i32.eq if > br 3 end
			local.get 0 i32.const 2 i32.eq br_if 2
			block > block > block > block >
				local.get 0 i32.const 3 i32.sub br_table 0 1 2 : 3
			end br_table : 4
			end i32.const 1 local.get 1 br_table 7 : 7
			end local.get 0 return
			end
			local.get 0 i32.const 6 i32.eq if > local.get 0 return_call 2 end
			local.get 0 i32.const 7 i32.eq if > local.get 0 i32.const 2 return_call_indirect 2 0 end
			local.get 0 i32.const 8 i32.eq if > local.get 0 throw 1 end
			local.get 0 i32.const 9 i32.eq if > throw 0 end
			local.get 0 i32.const 10 i32.eq if > i32.const 9 call 1 drop end
			local.get 0 i32.const 11 i32.eq if >
				local.get 0 i32.const 0 local.tee 0 drop drop
				br 2
			end
		end
	end
	end
	end
	local.get 1
	end`}

var catchings = map[string]catching{
	// Whatever the callee does with the globals in which our locals live, they are ours.
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
		leaving,
		{"i32>i32", "", "local.get 0 i32.const 7 i32.add"},
	}, nil},
}

func testCatches(t *testing.T, open Open) {
	for name, c := range catchings {
		t.Run(name, func(t *testing.T) {
			e := start(t, open, Options())
			for _, check := range []instrument.Check{e.Check(), instrument.Unchecked} {
				catches(t, e, check, c)
			}
		})
	}
}

func catches(t *testing.T, e engine.Engine, check instrument.Check, c catching) {
	fmt.Println(e, check, c)
}
