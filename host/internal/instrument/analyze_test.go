package instrument

import (
	"fmt"
	"strings"
	"testing"
)

// outline returns what a function of a rewritten module that uses no memory does, as
// far as checks matter: "check", "loop", and calls by the numbers of the original.
func outline(t *testing.T, rewritten *Rewritten, fn int) string {
	t.Helper()
	r := &reader{data: []byte(bodiesOf(t, rewritten)[fn])}
	for range r.count(2) { // locals
		r.u32()
		r.valType()
	}
	poll := rewritten.imported + rewritten.shift + rewritten.defined
	var out []string
	for r.off < len(r.data) {
		in := r.instruction()
		if r.err != nil {
			t.Fatal(r.err)
		}
		switch {
		case in.op == opAtomic, in.op == opCall && rewritten.Check == Countdown && in.index == poll:
			out = append(out, "check")
		case in.op == opLoop:
			out = append(out, "loop")
		case in.op == opCallIndirect, in.op == opReturnCallIndirect:
			out = append(out, "indirect")
		case in.op == opCall, in.op == opReturnCall:
			if name, ok := rewritten.FunctionName(fmt.Sprint("$", in.index)); ok {
				out = append(out, name)
			} else {
				out = append(out, "added")
			}
		}
	}
	return strings.Join(out, " ")
}

const (
	call0, call1 = "\x10\x00", "\x10\x01"
	callType0    = "\x41\x00\x11\x00\x00"
	callType1    = "\x41\x00\x41\x00\x11\x01\x00"
	takes0       = "\x00\x41\x00\x0b\x01\x00" // an element segment
	declares0    = "\x03\x00\x01\x00"
	oneTable     = "\x01\x70\x00\x01"
	loop         = "\x03\x40\x41\x00\x0d\x00\x0b"
)

// Checks are where they are needed, and only there.
func TestChecks(t *testing.T) {
	nops := func(n int) string { return strings.Repeat("\x01", n) }
	for title, c := range map[string]struct {
		b    binaryModule
		want []string // by function
	}{
		"a leaf":               {binaryModule{funcs: []string{"\x01"}}, []string{""}},
		"a loop":               {binaryModule{funcs: []string{loop}}, []string{"loop check"}},
		"a loop in a loop":     {binaryModule{funcs: []string{"\x03\x40" + loop + "\x41\x00\x0d\x00\x0b"}}, []string{"loop check loop check"}},
		"a loop with a type":   {binaryModule{funcs: []string{"\x41\x00\x03\x01\x1a\x41\x00\x41\x00\x0d\x00\x1a\x0b"}}, []string{"loop check"}},
		"callers":              {binaryModule{funcs: []string{call1, "\x10\x02", ""}}, []string{"$1", "$2", ""}},
		"a caller of a loop":   {binaryModule{funcs: []string{call1, loop}}, []string{"$1", "loop check"}},
		"recursion":            {binaryModule{funcs: []string{call0}}, []string{"check $0"}},
		"a caller of it":       {binaryModule{funcs: []string{call0, call0}}, []string{"check $0", "$0"}},
		"mutual recursion":     {binaryModule{funcs: []string{call1, call0, call0}}, []string{"check $1", "check $0", "$0"}},
		"a longer cycle":       {binaryModule{funcs: []string{call1, "\x10\x02", "\x10\x03", call1}}, []string{"$1", "check $2", "check $3", "check $1"}},
		"a tail call":          {binaryModule{funcs: []string{"\x12\x00"}}, []string{"check $0"}},
		"a tail call's cycle":  {binaryModule{funcs: []string{"\x12\x01", "\x12\x00"}}, []string{"check $1", "check $0"}},
		"through a table":      {binaryModule{funcs: []string{callType0}, table: oneTable, elements: []string{takes0}}, []string{"check indirect"}},
		"a tail through it":    {binaryModule{funcs: []string{"\x41\x00\x13\x00\x00"}, table: oneTable, elements: []string{takes0}}, []string{"check indirect"}},
		"declared only":        {binaryModule{funcs: []string{callType0}, table: oneTable, elements: []string{declares0}}, []string{"check indirect"}},
		"by ref.func":          {binaryModule{funcs: []string{callType0, "\xd2\x00\x1a"}, table: oneTable}, []string{"check indirect", ""}},
		"by a global":          {binaryModule{funcs: []string{callType0}, table: oneTable, globals: []string{"\x70\x00\xd2\x00\x0b"}}, []string{"check indirect"}},
		"nobody's address":     {binaryModule{funcs: []string{callType0}, table: oneTable}, []string{"indirect"}},
		"of another type":      {binaryModule{funcs: []string{callType1}, table: oneTable, elements: []string{takes0}}, []string{"indirect"}},
		"an equal type":        {binaryModule{types: []string{nothing}, funcs: []string{"\x41\x00\x11\x03\x00"}, table: oneTable, elements: []string{takes0}}, []string{"check indirect"}},
		"a cycle with a table": {binaryModule{funcs: []string{call1, callType0}, table: oneTable, elements: []string{takes0}}, []string{"check $1", "check indirect"}},
		"an import":            {binaryModule{imports: []string{name("m") + name("f") + "\x00\x00"}, funcs: []string{call0}}, []string{"$0"}},
		"small":                {binaryModule{funcs: []string{nops(entryWork - 1)}}, []string{""}},
		"large":                {binaryModule{funcs: []string{nops(entryWork)}}, []string{"check"}},
		"large together":       {binaryModule{funcs: []string{call1 + call1, nops(entryWork / 2)}}, []string{"check $1 $1", ""}},
		"of large ones":        {binaryModule{funcs: []string{call1 + call1, nops(entryWork)}}, []string{"$1 $1", "check"}},
	} {
		for _, check := range []Check{Countdown, ControlWord, Unchecked} {
			r := rewriteTo(t, check, c.b)
			for i, want := range c.want {
				if check == Unchecked {
					want = strings.TrimSpace(strings.ReplaceAll(" "+want+" ", " check ", " "))
				}
				if got := outline(t, r, i); got != want {
					t.Errorf("%s, check %d: function %d does %q, want %q", title, check, i, got, want)
				}
			}
		}
	}
}

// In a tree of calls without a loop or a cycle, which can have 2^40 leaves, no call
// runs far without a check.
func TestCallTrees(t *testing.T) {
	for _, width := range []int{2, 3, 10, 100} {
		var b binaryModule
		const depth = 40
		for i := range depth {
			b.funcs = append(b.funcs, strings.Repeat("\x10"+num(i+1), width))
		}
		b.funcs = append(b.funcs, "\x01")
		r := rewriteTo(t, ControlWord, b)
		unchecked := make([]int, depth+1) // instructions of a call up to the first check
		unchecked[depth] = 2
		checks := 0
		for i := depth - 1; i >= 0; i-- {
			if strings.HasPrefix(outline(t, r, i), "check ") {
				checks++
				continue
			}
			unchecked[i] = width + 1 + width*unchecked[i+1]
			if unchecked[i] > entryWork {
				t.Errorf("width %d: function %d executes %d instructions without a check", width, i, unchecked[i])
			}
		}
		if checks == 0 || checks > depth/2 && width == 2 {
			t.Errorf("width %d: %d of %d functions have a check", width, checks, depth)
		}
	}
}

// A function that is a million calls long has a check before each.
func TestManyCalls(t *testing.T) {
	calls := func(n int) binaryModule { return binaryModule{funcs: []string{"", strings.Repeat(call0, n)}} }
	few, many := outline(t, rewriteTo(t, ControlWord, calls(1000)), 1), outline(t, rewriteTo(t, ControlWord, calls(denseWork)), 1)
	if n := strings.Count(few, "check"); n != 1 {
		t.Errorf("1000 calls have %d checks", n)
	}
	if n := strings.Count(many, "check $0"); n != denseWork {
		t.Errorf("%d calls have %d checks before a call", denseWork, n)
	}
}

// What an export may change.
func TestEffects(t *testing.T) {
	const (
		zero  = "\x41\x00"
		three = zero + zero + zero
		lane  = "\xfd\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		null  = "\xd0\x70"
	)
	host := []string{name("m") + name("f") + "\x00\x00"}
	for title, c := range map[string]struct {
		funcs    []string // the first is exported
		imports  []string
		elements []string
		want     Effect
	}{
		"nothing":                {funcs: []string{"\x01"}, want: NoEffect},
		"load":                   {funcs: []string{zero + "\x28\x02\x00\x1a"}, want: NoEffect},
		"last load":              {funcs: []string{zero + "\x35\x02\x00\x1a"}, want: NoEffect},
		"first store":            {funcs: []string{zero + zero + "\x36\x02\x00"}, want: WritesMemory},
		"last store":             {funcs: []string{zero + "\x42\x00\x3e\x02\x00"}, want: WritesMemory},
		"size":                   {funcs: []string{"\x3f\x00\x1a"}, want: NoEffect},
		"grow":                   {funcs: []string{zero + "\x40\x00\x1a"}, want: WritesMemory},
		"fill":                   {funcs: []string{three + "\xfc\x0b\x00"}, want: WritesMemory},
		"copy":                   {funcs: []string{three + "\xfc\x0a\x00\x00"}, want: WritesMemory},
		"init":                   {funcs: []string{three + "\xfc\x08\x00\x00"}, want: WritesMemory},
		"data.drop":              {funcs: []string{"\xfc\x09\x00"}, want: WritesTables},
		"elem.drop":              {funcs: []string{"\xfc\x0d\x00"}, elements: []string{"\x01\x00\x00"}, want: WritesTables},
		"vector load":            {funcs: []string{zero + "\xfd\x00\x04\x00\x1a"}, want: NoEffect},
		"vector store":           {funcs: []string{zero + lane + "\xfd\x0b\x04\x00"}, want: WritesMemory},
		"lane load":              {funcs: []string{zero + lane + "\xfd\x57\x03\x00\x00\x1a"}, want: NoEffect},
		"first lane store":       {funcs: []string{zero + lane + "\xfd\x58\x00\x00\x00"}, want: WritesMemory},
		"last lane store":        {funcs: []string{zero + lane + "\xfd\x5b\x03\x00\x00"}, want: WritesMemory},
		"load and zero":          {funcs: []string{zero + "\xfd\x5c\x02\x00\x1a"}, want: NoEffect},
		"atomic load":            {funcs: []string{zero + "\xfe\x10\x02\x00\x1a"}, want: NoEffect},
		"last atomic load":       {funcs: []string{zero + "\xfe\x16\x02\x00\x1a"}, want: NoEffect},
		"first atomic store":     {funcs: []string{zero + zero + "\xfe\x17\x02\x00"}, want: WritesMemory},
		"atomic add":             {funcs: []string{zero + zero + "\xfe\x1e\x02\x00\x1a"}, want: WritesMemory},
		"atomic exchange":        {funcs: []string{three + "\xfe\x48\x02\x00\x1a"}, want: WritesMemory},
		"global.get":             {funcs: []string{"\x23\x00\x1a"}, want: NoEffect},
		"global.set":             {funcs: []string{zero + "\x24\x00"}, want: WritesGlobals},
		"table.get":              {funcs: []string{zero + "\x25\x00\x1a"}, want: NoEffect},
		"table.set":              {funcs: []string{zero + null + "\x26\x00"}, want: WritesTables},
		"table.size":             {funcs: []string{"\xfc\x10\x00\x1a"}, want: NoEffect},
		"table.grow":             {funcs: []string{null + zero + "\xfc\x0f\x00\x1a"}, want: WritesTables},
		"table.fill":             {funcs: []string{zero + null + zero + "\xfc\x11\x00"}, want: WritesTables},
		"table.copy":             {funcs: []string{three + "\xfc\x0e\x00\x00"}, want: WritesTables},
		"table.init":             {funcs: []string{three + "\xfc\x0c\x00\x00"}, elements: []string{"\x01\x00\x00"}, want: WritesTables},
		"behind unreachable":     {funcs: []string{"\x00" + zero + "\x24\x00"}, want: WritesGlobals},
		"of a callee":            {funcs: []string{call1, "\x10\x02", zero + "\x24\x00"}, want: WritesGlobals},
		"of callees":             {funcs: []string{call1 + "\x10\x02", zero + zero + "\x36\x02\x00", zero + "\x24\x00"}, want: WritesGlobals | WritesMemory},
		"of a tail call":         {funcs: []string{"\x12\x01", zero + "\x24\x00"}, want: WritesGlobals},
		"in a cycle":             {funcs: []string{call1, "\x10\x02", call0 + "\x10\x03", zero + "\x24\x00"}, want: WritesGlobals},
		"not of a caller":        {funcs: []string{"\x01", call0 + zero + "\x24\x00"}, want: NoEffect},
		"host":                   {imports: host, funcs: []string{call0}, want: CallsHost},
		"host by a tail call":    {imports: host, funcs: []string{"\x12\x00"}, want: CallsHost},
		"host by a callee":       {imports: host, funcs: []string{"\x10\x02", call0}, want: CallsHost},
		"table, nobody":          {funcs: []string{callType0, zero + "\x24\x00"}, want: NoEffect},
		"table, element":         {funcs: []string{callType0, zero + "\x24\x00"}, elements: []string{"\x00\x41\x00\x0b\x01\x01"}, want: WritesGlobals},
		"table, expression":      {funcs: []string{callType0, zero + "\x24\x00"}, elements: []string{"\x04\x41\x00\x0b\x01\xd2\x01\x0b"}, want: WritesGlobals},
		"table, passive":         {funcs: []string{callType0, zero + "\x24\x00"}, elements: []string{"\x01\x00\x01\x01"}, want: WritesGlobals},
		"table, declared":        {funcs: []string{callType0, zero + "\x24\x00"}, elements: []string{"\x03\x00\x01\x01"}, want: WritesGlobals},
		"table, ref.func":        {funcs: []string{callType0, zero + "\x24\x00", "\xd2\x01\x1a"}, want: WritesGlobals},
		"table, another type":    {funcs: []string{callType1, zero + "\x24\x00"}, elements: []string{"\x00\x41\x00\x0b\x01\x01"}, want: NoEffect},
		"table, tail call":       {funcs: []string{"\x41\x00\x13\x00\x00", zero + "\x24\x00"}, elements: []string{"\x00\x41\x00\x0b\x01\x01"}, want: WritesGlobals},
		"table, host":            {imports: host, funcs: []string{callType0}, elements: []string{"\x00\x41\x00\x0b\x01\x00"}, want: CallsHost},
		"table, host is nobody":  {imports: host, funcs: []string{callType0}, want: NoEffect},
		"table, host and others": {imports: host, funcs: []string{callType0, zero + "\x24\x00"}, elements: []string{"\x00\x41\x00\x0b\x02\x00\x02"}, want: CallsHost | WritesGlobals},
	} {
		b := binaryModule{imports: c.imports, funcs: c.funcs, elements: c.elements, table: oneTable, memory: page,
			globals: []string{"\x7f\x01\x41\x00\x0b"}, data: []string{"\x01\x00"}, exports: []string{name("f") + "\x00" + num(len(c.imports))}}
		if c.imports != nil {
			b.exports = append(b.exports, name("host")+"\x00\x00")
		}
		for _, check := range []Check{Countdown, ControlWord} {
			r := rewriteTo(t, check, b)
			if got := r.Effect("f"); got != c.want {
				t.Errorf("%s: effect %b, want %b", title, got, c.want)
			}
			if c.imports != nil && r.Effect("host") != CallsHost {
				t.Errorf("%s: an import that is exported has effect %b", title, r.Effect("host"))
			}
			if wantSafe := c.want&WritesTables == 0; (r.Unsafe == "") != wantSafe {
				t.Errorf("%s: unsafe because %q", title, r.Unsafe)
			}
		}
	}
}

// Why an instance cannot be restored.
func TestUnsafe(t *testing.T) {
	null := "\xd0\x70"
	three := "\x41\x00\x41\x00\x41\x00"
	active, passive := "\x00\x41\x00\x0b\x01x", "\x01\x01x"
	for title, c := range map[string]struct {
		b    binaryModule
		want string
	}{
		"nothing":          {binaryModule{funcs: []string{"\x01"}}, ""},
		"table.set":        {binaryModule{funcs: []string{"\x41\x00" + null + "\x26\x00"}}, "its code has table.set"},
		"table.grow":       {binaryModule{funcs: []string{null + "\x41\x00\xfc\x0f\x00\x1a"}}, "its code has table.grow"},
		"table.copy":       {binaryModule{funcs: []string{three + "\xfc\x0e\x00\x00"}}, "its code has table.copy"},
		"data.drop":        {binaryModule{funcs: []string{"\xfc\x09\x00"}, data: []string{passive}}, "its code has data.drop"},
		"passive segment":  {binaryModule{funcs: []string{three + "\xfc\x08\x00\x00"}, data: []string{passive}}, ""},
		"active segment":   {binaryModule{funcs: []string{"\x01"}, data: []string{active}}, ""},
		"copied again":     {binaryModule{funcs: []string{three + "\xfc\x08\x00\x00"}, data: []string{active}}, "its code copies an active data segment"},
		"another one":      {binaryModule{funcs: []string{three + "\xfc\x08\x01\x00"}, data: []string{active, passive}}, ""},
		"funcref":          {binaryModule{funcs: []string{null + "\x24\x00"}, globals: []string{"\x70\x01\xd0\x70\x0b"}}, "it has a mutable global of type funcref"},
		"funcref, not set": {binaryModule{funcs: []string{"\x01"}, globals: []string{"\x70\x01\xd0\x70\x0b"}}, ""},
		"vector": {binaryModule{funcs: []string{"\x23\x00\x24\x00"}, globals: []string{"\x7b\x01\xfd\x0c" + strings.Repeat("\x00", 16) + "\x0b"}},
			"it has a mutable global of type v128"},
	} {
		c.b.table, c.b.memory = oneTable, page
		for _, check := range []Check{Countdown, ControlWord} {
			if r := rewriteTo(t, check, c.b); r.Unsafe != c.want {
				t.Errorf("%s: unsafe because %q, want %q", title, r.Unsafe, c.want)
			}
		}
	}
}
