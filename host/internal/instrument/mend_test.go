package instrument

import (
	"strings"
	"testing"
)

// catching encodes a try_table without parameters and results that catches what has tag 0,
// and leads to label 0 then.
func catching(body string) string { return "\x1f\x40\x01\x00\x00\x00" + body + "\x0b" }

// A mended module runs right; see enginetest for that. What needs no mending stays as
// it is, and the rest has no more than it needs.
func TestMend(t *testing.T) {
	const set, get = "\x41\x05\x21\x00", "\x20\x00\x1a"
	// save the global, keep the local in it
	const enter = "\x23\x00\x21\x01\x20\x00\x24\x00"
	for title, c := range map[string]struct{ in, want string }{
		"nothing set":         {"\x02\x40" + catching("\x08\x00") + "\x0b", ""},
		"set, not read":       {"\x02\x40" + catching(set+get) + "\x0b", ""},
		"read before":         {get + "\x02\x40" + catching(set) + "\x0b", ""},
		"set outside":         {set + "\x02\x40" + catching("\x08\x00") + "\x0b" + set + get, ""},
		"left outwards":       {"\x02\x40\x02\x40" + catching("\x0c\x02") + "\x0b\x0b", ""},
		"no clauses":          {"\x1f\x40\x00" + set + "\x0b", "\x02\x40" + set + "\x0b"},
		"own label":           {"\x02\x40" + catching("\x0c\x00") + "\x0b", "\x02\x40\x02\x40\x1f\x40\x01\x00\x00\x01\x0c\x01\x0b\x0b\x0b"},
		"br_table of nothing": {"\x02\x40" + catching("\x41\x00\x0e\x00\x01") + "\x0b", "\x02\x40" + catching("\x41\x00\x0e\x01\x01\x01") + "\x0b"},
		"a clause that leads out of another": {"\x02\x40" + catching("\x1f\x40\x01\x02\x01\x0b") + "\x0b",
			"\x02\x40" + catching("\x02\x40\x02\x40\x1f\x40\x01\x02\x00\x0b\x0c\x01\x0b\x0c\x02\x0b") + "\x0b"},
		"set and read": {"\x02\x40" + catching(set) + "\x0b" + get,
			"\x02\x40" + "\x02\x40\x02\x69\x02\x40" + enter + "\x1f\x40\x02\x00\x00\x00\x03\x01" + "\x41\x05\x22\x00\x24\x00" + "\x0b" +
				"\x20\x01\x24\x00\x0c\x02" + "\x0b" + "\x23\x00\x21\x00\x20\x01\x24\x00\x0c\x02" + "\x0b" + "\x20\x01\x24\x00\x0a" + "\x0b" + "\x0b" + get},
		"set and read before, in a loop": {"\x03\x40" + get + "\x1f\x40\x01\x02\x00" + set + "\x0b\x0b",
			"\x03\x40" + get + "\x02\x40\x02\x40" + enter + "\x1f\x40\x01\x02\x00" + "\x41\x05\x22\x00\x24\x00" + "\x0b" +
				"\x20\x01\x24\x00\x0c\x01\x0b" + "\x23\x00\x21\x00\x20\x01\x24\x00\x0c\x01\x0b\x0b"},
	} {
		m, err := scan([]byte(withLocals(1, c.in)))
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		mended, err := mend(m)
		if err != nil || mended.lost != "" {
			t.Fatalf("%s: %v, %q", title, err, mended.lost)
		}
		f := mended.functions[0]
		got := string(mended.binary[f.start:f.end])
		if want := "\x01\x01\x7f" + c.in + "\x0b"; c.want == "" && (got != want || mended != m) {
			t.Errorf("%s: %q has become %q", title, c.in, got)
		} else if c.want != "" && !strings.HasSuffix(got, c.want+"\x0b") {
			t.Errorf("%s: %q has become\n%q, want\n%q", title, c.in, got, c.want)
		}
	}
}

// Which locals are stale: those that are set where a try_table catches, and may be read
// after that before they are set again.
func TestStale(t *testing.T) {
	const set, get, c, maybe = "\x41\x05\x21\x00", "\x20\x00\x1a", "\x02\x40", "\x41\x00\x04\x40"
	const end, orElse = "\x0b", "\x05"
	for title, c := range map[string]struct {
		code  string
		stale bool
	}{
		"read":                                {c + catching(set) + end + get, true},
		"set, then read":                      {c + catching(set) + end + set + get, false},
		"read, then set":                      {c + catching(set) + end + get + set, true},
		"perhaps set, then read":              {c + catching(set) + end + maybe + set + end + get, true},
		"perhaps set and read":                {c + catching(set) + end + maybe + set + get + end, false},
		"set or not, then read":               {c + catching(set) + end + maybe + set + orElse + get + end, true},
		"set or read":                         {c + catching(set) + end + maybe + get + orElse + set + end, true},
		"set in a block, then read":           {c + catching(set) + end + c + set + end + get, true}, // it is not, but who knows
		"set before, then read":               {set + c + catching(set) + end + get, true},
		"set around, then read":               {c + set + c + catching(set) + end + get + end, true},
		"set around, then read outside":       {c + set + c + catching(set) + end + end + get, true},
		"set behind, then read outside":       {c + c + catching(set) + end + set + end + get, true},
		"leads out, read inside":              {c + c + "\x1f\x40\x01\x00\x00\x01" + set + end + get + end + end, false},
		"leads out, read outside":             {c + c + "\x1f\x40\x01\x00\x00\x01" + set + end + get + end + end + get, true},
		"loop, read before":                   {"\x03\x40" + get + c + catching(set) + end + end, true},
		"loop, set and read before":           {"\x03\x40" + set + get + c + catching(set) + end + end, false},
		"loop, set before and read behind":    {"\x03\x40" + set + c + catching(set) + end + get + end, true},
		"loop, read before and set behind":    {"\x03\x40" + get + c + catching(set) + end + set + end, true}, // the same
		"loop inside, read in it before":      {set + "\x03\x40" + get + c + catching(set) + end + end, true},
		"loops, read in the outer one before": {"\x03\x40" + get + "\x03\x40" + c + catching(set) + end + end + end, true},
		"loops, set in the inner one":         {"\x03\x40" + "\x03\x40" + set + get + c + catching(set) + end + end + end, false},
		"leads to a loop, read in it":         {"\x03\x40" + get + catching(set) + end, true},
		"leads to a loop, read before":        {get + "\x03\x40" + catching(set) + end, false},
		"read before, not in a loop":          {get + c + catching(set) + end, false},
		"read in it":                          {c + catching(set+get) + end, false},
		"leads to the end of the function":    {get + catching(set) + get, false},
		"set only outside":                    {set + c + catching(get) + end + get, false},
		"only inside one inside":              {c + catching(c+catching(set)+end) + end + get, true},
	} {
		m, err := scan([]byte(withLocals(1, c.code)))
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		mended, err := mend(m)
		if err != nil || mended.lost != "" {
			t.Fatalf("%s: %v, %q", title, err, mended.lost)
		}
		if stale := len(mended.globals) > 0; stale != c.stale {
			t.Errorf("%s: stale is %v", title, stale)
		}
	}
}

// What is added to keep locals is no state of the module's, whatever its type.
func TestMendKeepsState(t *testing.T) {
	for _, typ := range []ValType{I32, I64, F32, F64, v128, funcRef, externRef, exnRef} {
		body := "\x01\x02" + string([]byte{byte(typ)}) + "\x02\x40" + catching("\x20\x01\x21\x00") + "\x0b\x20\x00\x1a\x0b"
		binary := header + sect(typeSection, list(nothing)) + sect(functionSection, list("\x00")) + sect(tagSection, list("\x00\x00")) +
			sect(globalSection, list("\x7f\x01\x41\x00\x0b")) + sect(codeSection, list(num(len(body))+body))
		for check, globals := range map[Check]int{Countdown: 3, ControlWord: 1, Unchecked: 2} {
			r, err := Rewrite([]byte(binary), check)
			if err != nil {
				t.Fatal(err)
			}
			if r.Lost != "" || r.Unsafe != "" || len(r.Globals) > 0 {
				t.Errorf("%v: %+v", typ, r)
			}
			s, _ := sectionOf(t, r, globalSection)
			if n := s.count(1); n != uint32(globals) {
				t.Errorf("%v, check %d: %d globals, want %d", typ, check, n, globals)
			}
		}
	}
}

// What cannot be mended is said to be lost, unless the engine needs no mending.
func TestLost(t *testing.T) {
	var many, nested strings.Builder
	for i := range maxHomes + 1 {
		many.WriteString("\x41\x00\x21" + num(i))
		nested.WriteString("\x20" + num(i) + "\x1a")
	}
	homes := "\x02\x40" + catching(many.String()) + "\x0b" + nested.String()
	deep := strings.Repeat("\x1f\x40\x01\x00\x00\x00", 1000) + strings.Repeat("\x21\x00", 1000) + strings.Repeat("\x0b", 1000)
	exits := strings.Repeat("\x02\x40", 300) + catching(many.String()+"\x41\x00\x0e"+num(300)+strings.Join(numbers(300), "")+"\x00")
	for i := range 300 {
		exits += "\x0b\x20" + num(i) + "\x1a"
	}
	for title, c := range map[string]struct{ code, want string }{
		"homes":  {homes, "function 0 keeps too many locals"},
		"depth":  {deep, "function 0 nests try_tables too deeply"},
		"exits":  {exits, "function 0 becomes too long"},
		"blocks": {strings.Repeat("\x02\x40", MaxNesting-3) + catching("\x41\x00\x21\x00") + strings.Repeat("\x0b", MaxNesting-3) + "\x20\x00\x1a", "beyond a limit"},
	} {
		binary := withLocals(maxHomes+1, c.code)
		for _, check := range []Check{Countdown, ControlWord, Unchecked} {
			r, err := Rewrite([]byte(binary), check)
			if err != nil {
				t.Fatalf("%s: %v", title, err)
			}
			if check == ControlWord && r.Lost != "" || check != ControlWord && !strings.Contains(r.Lost, c.want) {
				t.Errorf("%s, check %d: %q is lost", title, check, r.Lost)
			}
		}
	}
	r := rewriteTo(t, Countdown, binaryModule{types: []string{"\x60\x02\x7f\x7b\x00"}, tag: "\x01\x00\x03"})
	if !strings.Contains(r.Lost, "v128") {
		t.Errorf("of a tag with v128, %q is lost", r.Lost)
	}
}

func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, num(i))
	}
	return list
}

// What is added is nobody else's: a name of nothing does not come to name it.
func TestMendRefuses(t *testing.T) {
	set := "\x02\x40" + catching("\x41\x00\x21\x00") + "\x0b\x20\x00\x1a"
	for title, c := range map[string]struct{ code, want string }{
		"local.get":       {set + "\x20\x01\x1a", "local 1 does not exist"},
		"local.set":       {set + "\x41\x00\x21\x01", "local 1 does not exist"},
		"local.tee":       {catching("\x41\x00\x22\x02\x1a"), "local 2 does not exist"},
		"br":              {catching("\x0c\x02"), "label 2 does not exist"},
		"br_if":           {catching("\x41\x00\x0d\x03"), "label 3 does not exist"},
		"br_table":        {catching("\x41\x00\x0e\x01\x02\x00"), "label 2 does not exist"},
		"default":         {catching("\x41\x00\x0e\x00\x02"), "label 2 does not exist"},
		"clause":          {"\x1f\x40\x01\x02\x01\x0b", "label 1 does not exist"},
		"kind of clause":  {"\x1f\x40\x01\x04\x00\x0b", "clause of kind 4"},
		"global":          {set + "\x23\x00\x1a", "global 0 does not exist"},
		"type of a block": {set + "\x02\x01\x0b", "type 1 does not exist"},
	} {
		if _, err := Rewrite([]byte(withLocals(1, c.code)), Countdown); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", title, err, c.want)
		}
	}
}
