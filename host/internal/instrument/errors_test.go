package instrument

import (
	"fmt"
	"strings"
	"testing"
)

// What a module may name is what it has: nothing that is added.
func TestRewriteErrors(t *testing.T) {
	f := func(code string) binaryModule { return binaryModule{funcs: []string{code}} }
	withMemory := func(code string) binaryModule { return binaryModule{funcs: []string{code}, memory: page} }
	zero := "\x41\x00"
	three := zero + zero + zero
	global := "\x7f\x00\x41\x00\x0b"
	deep := strings.Repeat("\x02\x40", 100_000) + strings.Repeat("\x0b", 100_000)
	branches := func(n int) string { return zero + "\x0e" + num(n) + strings.Repeat("\x00", n+1) }
	for title, c := range map[string]struct {
		b    fmt.Stringer
		want string
	}{
		"v128.const in 3 bytes":     {f("\xfd\x8c\x00" + strings.Repeat("\x00", 16) + "\x1a"), "instruction 0xfd 12 in 3 bytes"}, // to wazero another, and code behind it
		"atomic in 3 bytes":         {withMemory(zero + "\xfe\x90\x00\x02\x00\x1a"), "instruction 0xfe 16 in 3 bytes"},
		"type of a long reference":  {rawTypes("\x01\x60\x01\x63\x70\x00"), "value type 0x63"},
		"group of types":            {rawTypes("\x01\x4e\x01\x60\x00\x00"), "type of form 0x4e"},
		"subtype":                   {rawTypes("\x01\x50\x00\x60\x00\x00"), "type of form 0x50"},
		"local of a long reference": {rawTypes("\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x0a\x07\x01\x05\x01\x01\x63\x70\x0b"), "value type 0x63"},
		"many types":                {rawTypes(num(300_000) + strings.Repeat("\x60\x00\x00", 300_000)), "300000 items: at most 200000"},
		"offsets that share":        {binaryModule{memory: page, data: []string{"\x00\x41\x10\x41\x00\x0b\x00", "\x00\x0b\x00"}}, "leaves 2 values"},
		"offset of nothing":         {binaryModule{memory: page, data: []string{"\x00\x0b\x00"}}, "leaves 0 values"},
		"call":                      {f("\x10\x01"), "function 0: at byte"},
		"call a helper":             {f("\x10\x02"), "function 2 does not exist"},
		"return_call":               {f("\x12\x01"), "function 1 does not exist"},
		"ref.func":                  {f("\xd2\x01\x1a"), "function 1 does not exist"},
		"call_indirect":             {f(zero + "\x11\x03\x00"), "type 3 does not exist"},
		"return_call_indirect":      {f(zero + "\x13\x03\x00"), "type 3 does not exist"},
		"block":                     {f("\x02\x03\x0b"), "type 3 does not exist"},
		"loop":                      {f("\x03\x03\x0b"), "type 3 does not exist"},
		"if":                        {f(zero + "\x04\x03\x0b"), "type 3 does not exist"},
		"try_table":                 {f("\x1f\x03\x00\x0b"), "type 3 does not exist"},
		"long block type":           {f("\x02\x83\x00\x0b"), "type 3 does not exist"},
		"huge block type":           {f("\x02\xff\xff\xff\xff\x2f\x0b"), "block type"},
		"global.get":                {f("\x23\x00\x1a"), "global 0 does not exist"},
		"global.set":                {f(zero + "\x24\x00"), "global 0 does not exist"},
		"long global.get":           {f("\x23\x80\x80\x80\x80\x00\x1a"), "global 0 does not exist"},
		"table.grow":                {f("\xd0\x70\x41\x01\xfc\x0f\x00\x1a"), "table 0 does not exist"},
		"memory.size 1":             {withMemory("\x3f\x01\x1a"), "memory index that is not 0"},
		"memory.grow 1":             {withMemory(zero + "\x40\x01\x1a"), "memory index that is not 0"},
		"memory.fill 1":             {withMemory(three + "\xfc\x0b\x01"), "memory index that is not 0"},
		"memory.copy 1 0":           {withMemory(three + "\xfc\x0a\x01\x00"), "memory index that is not 0"},
		"memory.copy 0 1":           {withMemory(three + "\xfc\x0a\x00\x01"), "memory index that is not 0"},
		"memory.init 1":             {binaryModule{funcs: []string{three + "\xfc\x08\x00\x01"}, memory: page, data: []string{"\x01\x00"}}, "memory index that is not 0"},
		"load with a memory index":  {withMemory(zero + "\x28\x42\x01\x00\x1a"), "names a memory"},
		"store with a memory index": {withMemory(zero + zero + "\x36\x42\x00\x00"), "names a memory"},
		"vector load, memory index": {withMemory(zero + "\xfd\x00\x44\x01\x00\x1a"), "names a memory"},
		"lane store, memory index":  {withMemory(zero + "\xfd\x0c" + strings.Repeat("\x00", 16) + "\xfd\x58\x40\x01\x00\x00"), "names a memory"},
		"atomic with memory index":  {withMemory(zero + "\xfe\x10\x42\x01\x00\x1a"), "names a memory"},
		"load without memory":       {f(zero + "\x28\x02\x00\x1a"), "memory 0 does not exist"},
		"store without memory":      {f(zero + zero + "\x36\x02\x00"), "memory 0 does not exist"},
		"size without memory":       {f("\x3f\x00\x1a"), "memory 0 does not exist"},
		"grow without memory":       {f(zero + "\x40\x00\x1a"), "memory 0 does not exist"},
		"fill without memory":       {f(three + "\xfc\x0b\x00"), "memory 0 does not exist"},
		"copy without memory":       {f(three + "\xfc\x0a\x00\x00"), "memory 0 does not exist"},
		"init without memory":       {binaryModule{funcs: []string{three + "\xfc\x08\x00\x00"}, data: []string{"\x01\x00"}}, "memory 0 does not exist"},
		"vector without memory":     {f(zero + "\xfd\x00\x04\x00\x1a"), "memory 0 does not exist"},
		"lane without memory":       {f(zero + "\xfd\x0c" + strings.Repeat("\x00", 16) + "\xfd\x54\x00\x00\x00\x1a"), "memory 0 does not exist"},
		"atomic without memory":     {f(zero + "\xfe\x10\x02\x00\x1a"), "memory 0 does not exist"},
		"two memories":              {binaryModule{memory: "\x02\x00\x01\x00\x01"}, "2 memories"},
		"one more memory":           {binaryModule{imports: []string{name("m") + name("m") + "\x02\x00\x01"}, memory: page}, "2 memories"},
		"two imported memories":     {binaryModule{imports: []string{name("m") + name("m") + "\x02\x00\x01", name("m") + name("n") + "\x02\x00\x01"}}, "2 memories"},
		"export of a function":      {binaryModule{funcs: []string{""}, exports: []string{name("x") + "\x00\x01"}}, "function 1 does not exist"},
		"export of a global":        {binaryModule{funcs: []string{""}, exports: []string{name("x") + "\x03\x00"}}, "global 0 does not exist"},
		"export of a memory":        {binaryModule{funcs: []string{""}, exports: []string{name("x") + "\x02\x00"}}, "memory 0 does not exist"},
		"export of memory 1":        {binaryModule{funcs: []string{""}, memory: page, exports: []string{name("x") + "\x02\x01"}}, "memory 1 does not exist"},
		"start":                     {binaryModule{funcs: []string{""}, start: "\x01"}, "function 1 does not exist"},
		"element":                   {binaryModule{funcs: []string{""}, table: "\x01\x70\x00\x09", elements: []string{"\x00\x41\x00\x0b\x01\x01"}}, "function 1 does not exist"},
		"element expression":        {binaryModule{funcs: []string{""}, table: "\x01\x70\x00\x09", elements: []string{"\x04\x41\x00\x0b\x01\xd2\x01\x0b"}}, "function 1 does not exist"},
		"offset of an element":      {binaryModule{funcs: []string{""}, table: "\x01\x70\x00\x09", elements: []string{"\x00\x23\x00\x0b\x00"}}, "global 0 does not exist"},
		"initial value, function":   {binaryModule{funcs: []string{""}, globals: []string{"\x70\x00\xd2\x01\x0b"}}, "function 1 does not exist"},
		"initial value, global":     {binaryModule{funcs: []string{""}, globals: []string{"\x7f\x00\x23\x01\x0b"}}, "global 1 does not exist"},
		"initial value, itself":     {binaryModule{funcs: []string{""}, globals: []string{"\x7f\x00\x23\x00\x0b"}}, "global 0 does not exist"},
		"initial value, code":       {binaryModule{funcs: []string{""}, globals: []string{"\x7f\x00\x10\x00\x41\x00\x0b"}}, "in a constant expression"},
		"imported type":             {binaryModule{imports: []string{name("m") + name("f") + "\x00\x03"}}, "function 0 has a type"},
		"tag type":                  {stringer(header + section(1, list(nothing)) + section(13, "\x01\x00\x01")), "type 1 does not exist"},
		"function type":             {stringer(header + section(1, list(nothing)) + section(3, "\x01\x01") + section(10, "\x01\x02\x00\x0b")), "type 1 does not exist"},
		"no data count":             {stringer(header + section(1, list(nothing)) + section(3, "\x01\x00") + section(5, page) + section(10, "\x01\x05\x00\xfc\x09\x00\x0b") + section(11, "\x01\x01\x00")), "data count"},
		"other data count":          {stringer(header + section(5, page) + section(12, "\x02") + section(11, "\x01\x01\x00")), "data count section says 2"},
		"data without memory":       {binaryModule{data: []string{"\x00\x41\x00\x0b\x00"}}, "without a memory"},
		"data of memory 1":          {binaryModule{memory: page, data: []string{"\x02\x01\x41\x00\x0b\x00"}}, "memory"},
		"kind of data":              {binaryModule{memory: page, data: []string{"\x03\x00"}}, "data segment of kind 3"},
		"offset, a call":            {binaryModule{funcs: []string{""}, memory: page, data: []string{"\x00\x10\x00\x41\x00\x0b\x00"}}, "offset of a data segment"},
		"offset, a load":            {binaryModule{memory: page, data: []string{"\x00\x41\x00\x28\x02\x00\x0b\x00"}}, "offset of a data segment"},
		"offset, memory.size":       {binaryModule{memory: page, data: []string{"\x00\x3f\x00\x0b\x00"}}, "offset of a data segment"},
		"offset, a block":           {binaryModule{memory: page, data: []string{"\x00\x41\x00\x03\x40\x0c\x00\x0b\x0b\x00"}}, "offset of a data segment"},
		"offset, own global":        {binaryModule{memory: page, globals: []string{global}, data: []string{"\x00\x23\x00\x0b\x00"}}, "constant expression"},
		"offset, mutable global":    {binaryModule{imports: []string{name("m") + name("g") + "\x03\x7f\x01"}, memory: page, data: []string{"\x00\x23\x00\x0b\x00"}}, "constant expression"},
		"offset, no global":         {binaryModule{memory: page, data: []string{"\x00\x23\x00\x0b\x00"}}, "global 0 does not exist"},
		"code behind the end":       {f("\x0b"), "code behind the end"},
		"code without an end":       {f("\x02\x40"), "module ends early"},
		"cut":                       {stringer(header + section(1, list(nothing)) + section(3, "\x01\x00") + section(10, "\x01\x09\x00")), "module ends early"},
		"locals":                    {stringer(header + section(1, list(nothing)) + section(3, "\x01\x00") + section(10, "\x01\x09\x02\xff\xff\x02\x7f\x90\x4e\x7e\x0b")), "locals: at most 50000"},
		"many locals":               {stringer(header + section(1, list(nothing)) + section(3, "\x01\x00") + section(10, "\x01\x0e\x02\xff\xff\xff\xff\x0f\x7f\xff\xff\xff\xff\x0f\x7e\x0b")), "locals: at most 50000"},
		"br_table":                  {f(branches(MaxBranchTargets + 1)), "br_table of 65521 targets"},
		"blocks":                    {f(deep), "nest"},
		"parameters":                {binaryModule{types: []string{"\x60" + num(1001) + strings.Repeat("\x7f", 1001) + "\x00"}}, "1000"},
		"results":                   {binaryModule{types: []string{"\x60\x00" + num(1001) + strings.Repeat("\x7f", 1001)}}, "1000"},
		"try":                       {f("\x06\x40\x0b"), "unknown instruction 0x6"},
		"catch":                     {f("\x07\x00"), "unknown instruction 0x7"},
		"rethrow":                   {f("\x09\x00"), "unknown instruction 0x9"},
		"delegate":                  {f("\x18\x00"), "unknown instruction 0x18"},
		"catch_all":                 {f("\x19"), "unknown instruction 0x19"},
		"call_ref":                  {f("\x14\x00"), "unknown instruction 0x14"},
		"return_call_ref":           {f("\x15\x00"), "unknown instruction 0x15"},
		"garbage collection":        {f("\xfb\x00\x00"), "unknown instruction 0xfb"},
		"relaxed SIMD":              {f("\xfd\x80\x02"), "unknown instruction 0xfd 256"},
		"bulk":                      {f("\xfc\x12"), "unknown instruction 0xfc 18"},
		"atomic":                    {f("\xfe\x4f\x02\x00"), "unknown instruction 0xfe 79"},
		"opcode":                    {f("\xff"), "unknown instruction 0xff"},
		"table too large":           {stringer(header + section(4, "\x01\x70\x00\xff\xff\xff\x7f")), "table of 268435455 entries: at most 2097152"},
		"tables too large":          {stringer(header + section(4, "\x02\x70\x00\x01\x70\x00\xff\xff\x7f")), "table of 2097151 entries: at most 1048576"},
		"table of numbers":          {stringer(header + section(4, "\x01\x7f\x00\x01")), "table of i32"},
		"flags of a table":          {stringer(header + section(4, "\x01\x70\x04\x01")), "flags 0x4"},
		"section twice":             {stringer(header + section(5, page) + section(5, page)), "out of order"},
		"section out of order":      {stringer(header + section(6, list(global)) + section(5, page)), "out of order"},
		"unknown section":           {stringer(header + section(14, "")), "unknown"},
		"too long a section":        {binaryModule{funcs: []string{""}, start: "\x00\x00"}, "1 bytes too many"},
		"name of a custom section":  {stringer(header + section(0, "\x05name")), "module ends early"},
		"UTF-8":                     {stringer(header + section(0, "\x01\xff")), "UTF-8"},
	} {
		binary := []byte(c.b.String())
		for _, check := range []Check{Countdown, ControlWord, Unchecked} {
			_, err := Describe(binary)
			if err == nil {
				_, err = Rewrite(binary, check)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %q", title, err, c.want)
			}
		}
	}
	if r := rewriteTo(t, ControlWord, f(branches(MaxBranchTargets))); r.Init != "" { // nor is what is allowed refused
		t.Errorf("Init is %q", r.Init)
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

// rawTypes is a module whose type section has that content; what stands behind it,
// where the content ends early, are whole sections.
type rawTypes string

func (r rawTypes) String() string {
	content, rest := string(r), ""
	if i := strings.Index(content, "\x03\x02\x01\x00"); i > 0 {
		content, rest = content[:i], content[i:]
	}
	return header + "\x01" + num(len(content)) + content + rest
}
