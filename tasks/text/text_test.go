package text_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"entangle.example/entangle/abi"
)

// A module is ../text.wasm as it is committed, under wazero alone, each call in an
// instance of its own.
type module struct {
	r      wazero.Runtime
	mod    wazero.CompiledModule
	failed string
}

func open(t testing.TB) *module {
	t.Helper()
	wasm, err := os.ReadFile("../text.wasm")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	m := &module{r: wazero.NewRuntime(ctx)}
	t.Cleanup(func() { m.r.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, m.r)
	if _, err = m.r.NewHostModuleBuilder(abi.ImportModule).
		NewFunctionBuilder().WithFunc(func(_ context.Context, mod api.Module, ptr, n uint32) uint32 {
		b, _ := mod.Memory().Read(ptr, n)
		m.failed = string(b)
		return 0
	}).Export(abi.ImportFail).Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	if m.mod, err = m.r.CompileModule(ctx, wasm); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *module) call(t testing.TB, task string, args ...abi.Value) (abi.Value, error) {
	t.Helper()
	list, err := abi.AppendList(nil, args)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	mod, err := m.r.InstantiateModule(ctx, m.mod, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(err)
	}
	defer mod.Close(ctx)
	ptr, err := mod.ExportedFunction(abi.ExportAlloc).Call(ctx, uint64(len(list)))
	if err != nil || ptr[0] == 0 || !mod.Memory().Write(uint32(ptr[0]), list) {
		t.Fatalf("entangle_alloc(%d): %v, error %v", len(list), ptr, err)
	}
	m.failed = ""
	got, err := mod.ExportedFunction(task).Call(ctx, ptr[0], uint64(len(list)))
	if m.failed != "" {
		return abi.Value{}, fmt.Errorf("%s", m.failed)
	}
	if err != nil {
		return abi.Value{}, err
	}
	b, ok := mod.Memory().Read(uint32(got[0]>>32), uint32(got[0]))
	if !ok {
		t.Fatalf("%s returned a range outside of memory", task)
	}
	return abi.Decode(b, abi.Limits{})
}

// ---- The definition in README.md, taken at its word -----------------------------

const maxChunk = 4096

func isWordCharacter(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

func isApostrophe(r rune) bool { return r == '\'' || r == '’' }

// reference returns the words of a whole text.
func reference(text []byte) (words []string, overlong int64) {
	type char struct {
		r    rune
		size int
	}
	var chunk []char
	end := func() {
		size := 0
		for _, c := range chunk {
			size += c.size
		}
		if size > maxChunk {
			overlong++
			chunk = nil
			return
		}
		inside := func(i int) bool { return i >= 0 && i < len(chunk) && !isApostrophe(chunk[i].r) }
		word := ""
		for i, c := range chunk {
			switch {
			case !isApostrophe(c.r):
				word += string(unicode.ToLower(c.r))
			case inside(i-1) && inside(i+1):
				word += "'"
			case word != "":
				words = append(words, word)
				word = ""
			}
		}
		if word != "" {
			words = append(words, word)
		}
		chunk = nil
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if isWordCharacter(r) || isApostrophe(r) {
			chunk = append(chunk, char{r, size})
		} else {
			end()
		}
		text = text[size:]
	}
	end()
	return words, overlong
}

// ---- The merge in README.md, with the definition for a single chunk --------------

type partial struct {
	counts          map[string]int64
	rest            []byte
	overlong, bytes int64
	errors          []string
}

func countChunk(chunk []byte, counts map[string]int64, overlong *int64) {
	words, long := reference(chunk)
	for _, w := range words {
		counts[w]++
	}
	*overlong += long
}

func scan(text []byte, counts map[string]int64, overlong *int64) (rest []byte) {
	lead := 0
	for lead < min(3, len(text)) && text[lead]&0xc0 == 0x80 {
		lead++
	}
	trail := len(text)
	for i := len(text) - 1; i >= max(lead, len(text)-3); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				trail = i
			}
			break
		}
	}
	const none = -1
	head, start := none, lead // head: where the first separator is
	for i := lead; i < trail; {
		r, size := utf8.DecodeRune(text[i:trail])
		if !isWordCharacter(r) && r != '\'' && r != '’' {
			if head == none {
				head = i
			} else {
				countChunk(text[start:i], counts, overlong)
			}
			start = i + size
		}
		i += size
	}
	rest = append(rest, text[:lead]...)
	if head != none {
		rest = append(shorten(rest, text[lead:head]), ' ')
	}
	return append(shorten(rest, text[start:trail]), text[trail:]...)
}

func shorten(rest, run []byte) []byte {
	if len(run) > 4096 {
		return append(rest, strings.Repeat("a", 4097)...)
	}
	return append(rest, run...)
}

func merge(a, b partial) partial {
	m := partial{counts: maps.Clone(a.counts), overlong: a.overlong + b.overlong, bytes: a.bytes + b.bytes,
		errors: slices.Concat(a.errors, b.errors)}
	for w, n := range b.counts {
		m.counts[w] += n
	}
	m.rest = scan(slices.Concat(a.rest, b.rest), m.counts, &m.overlong)
	return m
}

func finish(p partial) partial {
	p.counts = maps.Clone(p.counts)
	p.rest = scan(slices.Concat([]byte(" "), p.rest, []byte(" ")), p.counts, &p.overlong)
	return p
}

// ---- Calls ------------------------------------------------------------------------

type part struct {
	data        []byte
	first, last bool
	err         string
}

func (p part) value() abi.Value {
	if p.err != "" {
		return abi.MapOf(map[string]abi.Value{"error": abi.String(p.err)})
	}
	return abi.MapOf(map[string]abi.Value{"data": abi.Bytes(p.data), "first": abi.Bool(p.first), "last": abi.Bool(p.last), "path": abi.Null()})
}

func (m *module) count(t testing.TB, parts ...part) partial {
	t.Helper()
	var vs []abi.Value
	for _, p := range parts {
		vs = append(vs, p.value())
	}
	v, err := m.call(t, "count", abi.List(vs...))
	if err != nil {
		t.Fatal(err)
	}
	get := func(key string) abi.Value {
		x, ok := v.Get(key)
		if !ok {
			t.Fatalf("partial without %s: %v", key, v)
		}
		return x
	}
	p := partial{counts: map[string]int64{}}
	es, _ := get("counts").Entries()
	for _, e := range es {
		p.counts[e.Key], _ = e.Value.Int()
	}
	p.rest, _ = get("rest").Bytes()
	p.overlong, _ = get("overlong").Int()
	p.bytes, _ = get("bytes").Int()
	errs, _ := get("errors").List()
	for _, e := range errs {
		s, _ := e.Str()
		p.errors = append(p.errors, s)
	}
	if len(p.rest) > 8201 {
		t.Fatalf("rest of %d bytes", len(p.rest))
	}
	return p
}

// same compares what a finished partial says with the definition.
func same(t *testing.T, p partial, files ...[]byte) {
	t.Helper()
	want := map[string]int64{}
	var overlong, size int64
	for _, f := range files {
		words, long := reference(f)
		for _, w := range words {
			want[w]++
		}
		overlong += long
		size += int64(len(f))
	}
	if string(p.rest) != " " {
		t.Errorf("finished with the rest %q", p.rest)
	}
	if !maps.Equal(p.counts, want) || p.overlong != overlong || p.bytes != size {
		t.Errorf("%.300q:\ncounts %v, %d overlong, %d bytes\n  want %v, %d overlong, %d bytes",
			files, clip(p.counts), p.overlong, p.bytes, clip(want), overlong, size)
	}
}

func clip(counts map[string]int64) string {
	s := fmt.Sprint(counts)
	return s[:min(len(s), 500)]
}

var tricky = []string{
	"",
	"one",
	"one two  three",
	"don't 'tis rock'n'roll dogs' a''b '' ' '''x'''",
	"don’t ‘quoted’ it’s’ ’’ O’Neill's",
	"Straße ΌΣΟΣ σας İstanbul ıIi ǅ K Å ẞ Ⱥ ỺὨ",
	"e\u0301a\u0300 \u0301x \u0301' a'\u0301b",
	"水が 한국어 ภาษาไทย हिन्दी 𝔘𝔫𝔦 😀x😀 𐐀",
	"x1 ٣٤ ½² Ⅷ _a_b_ a-b a.b 3.14",
	"\xff\xfe a\xffb \xc3 \xc3( \xed\xa0\x80 \xf4\x90\x80\x80 \xc0\x80 \xf0\x9f\x98",
	"\x80\x80\x80\x80a\x80\x80\x80b\x80",
	"a\u2014b a\xe2\x80b a\xe2\x80\x99b a\xe2\x80\x99",
	"\u00a0nbsp\u2028ls\ufeffbom\u200djoin\u00adsoft",
	strings.Repeat("a", 4096),
	strings.Repeat("a", 4097),
	strings.Repeat("水", 1365) + " " + strings.Repeat("水", 1366),
	strings.Repeat("'", 5000) + " b",
	strings.Repeat("Ⱥ", 2048) + " x",
	"x\xf0" + strings.Repeat("b", 5000) + "\xf0\x90 y",
	strings.Repeat("ab", 6000) + " tail",
	"head " + strings.Repeat("ab", 6000),
	"a\x00b\x01\x7f",
}

func TestWhole(t *testing.T) {
	m := open(t)
	for _, s := range tricky {
		same(t, finish(m.count(t, part{data: []byte(s), first: true, last: true})), []byte(s))
	}
}

// Every cut of every tricky text into two parts, in one call and in two.
func TestEveryCut(t *testing.T) {
	m := open(t)
	for _, s := range tricky {
		text := []byte(s)
		step := 1 + len(text)/40
		for i := 0; i <= len(text); i += step {
			a, b := part{data: text[:i], first: true}, part{data: text[i:], last: true}
			same(t, finish(m.count(t, a, b)), text)
			same(t, finish(merge(m.count(t, a), m.count(t, b))), text)
		}
	}
}

// randomText mixes what is hard: borders of characters, apostrophes, long runs.
func randomText(r *rand.Rand) []byte {
	var text []byte
	for range r.IntN(60) {
		switch r.IntN(12) {
		case 0:
			text = append(text, byte(r.IntN(256)))
		case 1:
			text = append(text, byte(0x80+r.IntN(64)))
		case 2:
			c := []byte(string(rune(r.IntN(0x20000))))
			text = append(text, c[:1+r.IntN(len(c))]...)
		case 3, 4:
			text = append(text, []string{"'", "’", "\xe2", "\xe2\x80"}[r.IntN(4)]...)
		case 5:
			text = append(text, []string{"İ", "ß", "Σ", "ς", "\u0301", "水", "Ⱥ", "𝔘", "—", "\u2028"}[r.IntN(10)]...)
		case 6:
			if r.IntN(12) == 0 {
				unit := []string{"a", "水", "'", "é"}[r.IntN(4)]
				text = append(text, bytes.Repeat([]byte(unit), (4090+r.IntN(14))/len(unit))...)
			}
		case 7:
			text = append(text, []string{" ", " ", "MixedCase", "eightltr", "NINEltrs.", "x2", "Ünïcode"}[r.IntN(7)]...)
		default:
			text = append(text, "aBcDe"[r.IntN(5)])
		}
	}
	return text
}

// Random files, cut at random into parts, these put at random into calls, and the
// calls merged in a random order.
func TestRandomParts(t *testing.T) {
	m := open(t)
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		var files [][]byte
		var parts []part
		var errs []string
		for range 1 + r.IntN(3) {
			text := randomText(r)
			files = append(files, text)
			first := true
			for rest := text; ; first = false {
				n := r.IntN(len(rest) + 1)
				if r.IntN(3) == 0 {
					n = min(len(rest), r.IntN(4))
				}
				if r.IntN(8) == 0 {
					n = len(rest)
				}
				last := n == len(rest)
				parts = append(parts, part{data: rest[:n], first: first, last: last})
				if rest = rest[n:]; last {
					break
				}
			}
			if r.IntN(4) == 0 {
				errs = append(errs, fmt.Sprintf("file %d is gone", len(files)))
				parts = append(parts, part{err: errs[len(errs)-1]})
			}
		}
		var calls []partial
		for len(parts) > 0 {
			n := r.IntN(min(len(parts), 5) + 1)
			calls = append(calls, m.count(t, parts[:n]...))
			parts = parts[n:]
		}
		for len(calls) > 1 {
			i := r.IntN(len(calls) - 1)
			calls[i] = merge(calls[i], calls[i+1])
			calls = slices.Delete(calls, i+1, i+2)
		}
		p := finish(calls[0])
		same(t, p, files...)
		if !slices.Equal(p.errors, errs) {
			t.Errorf("errors %q, want %q", p.errors, errs)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// What the guest and README.md's scan make of an open text is the same.
func TestScanIsCount(t *testing.T) {
	m := open(t)
	check := func(text []byte) {
		t.Helper()
		got := m.count(t, part{data: text})
		want := map[string]int64{}
		var overlong int64
		rest := scan(text, want, &overlong)
		if !bytes.Equal(got.rest, rest) || !maps.Equal(got.counts, want) || got.overlong != overlong {
			t.Errorf("%.200q: rest %.200q, counts %v, %d overlong; want %.200q, %v, %d", text, got.rest, clip(got.counts), got.overlong, rest, clip(want), overlong)
		}
	}
	for _, s := range tricky {
		check([]byte(s))
	}
	for seed := range uint64(200) {
		check(randomText(rand.New(rand.NewPCG(seed, 2))))
	}
}

// A part is what it must be, or the call fails and says what is wrong.
func TestBadParts(t *testing.T) {
	m := open(t)
	for _, c := range []struct{ parts, want string }{
		{`[7]`, "want map, got int"},
		{`[{}]`, `map without the key "data"`},
		{`[{"data": "text", "first": true, "last": true}]`, "want bytes, got string"},
		{`[{"data": {"$bytes": ""}, "first": 1, "last": true}]`, "want bool, got int"},
		{`[{"data": {"$bytes": ""}, "first": true}]`, `map without the key "last"`},
		{`[{"error": 7}]`, "want string, got int"},
	} {
		v, err := abi.ParseJSON([]byte(c.parts))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.call(t, "count", v); err == nil || err.Error() != c.want {
			t.Errorf("%s: result %v, error %v; want %s", c.parts, got, err, c.want)
		}
	}
}

// Many different words: the table grows, and keeps them apart.
func TestManyWords(t *testing.T) {
	m := open(t)
	var text []byte
	for i := range 200000 {
		text = fmt.Appendf(text, "w%d %d ", i*7919%100003, i%1000)
	}
	same(t, finish(m.count(t, part{data: text, first: true, last: true})), text)
}

func TestWords(t *testing.T) {
	m := open(t)
	for _, s := range tricky {
		s = strings.ToValidUTF8(s, "\ufffd")
		v, err := m.call(t, "words", abi.String(s))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := reference([]byte(s))
		if got := strs(v); !slices.Equal(got, want) {
			t.Errorf("words of %.200q: %.300q, want %.300q", s, got, want)
		}
	}
}

func strs(v abi.Value) (out []string) {
	vs, _ := v.List()
	for _, e := range vs {
		s, _ := e.Str()
		out = append(out, s)
	}
	return out
}

// All characters there are, in one string.
func TestCase(t *testing.T) {
	m := open(t)
	var all strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if utf8.ValidRune(r) {
			all.WriteRune(r)
		}
	}
	for task, mapping := range map[string]func(rune) rune{"upper": unicode.ToUpper, "lower": unicode.ToLower} {
		v, err := m.call(t, task, abi.String(all.String()))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := v.Str(); got != strings.Map(mapping, all.String()) {
			t.Errorf("%s differs from Go's", task)
		}
	}
	// And as words, which tells word characters from others.
	var spaced []byte
	for r := rune(0); r <= unicode.MaxRune; r++ {
		spaced = append(utf8.AppendRune(spaced, r), '.')
	}
	same(t, finish(m.count(t, part{data: spaced})), spaced)
}

func TestSplit(t *testing.T) {
	m := open(t)
	for _, c := range []struct{ text, sep string }{
		{"a,b,,c,", ","}, {"", ","}, {",", ","}, {"abc", "abc"}, {"aaaa", "aa"}, {"a—b—c", "—"}, {"abc", "abcd"}, {"a\x00b", "\x00"},
	} {
		v, err := m.call(t, "split", abi.String(c.text), abi.String(c.sep))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strs(v), strings.Split(c.text, c.sep); !slices.Equal(got, want) {
			t.Errorf("split(%q, %q) = %q, want %q", c.text, c.sep, got, want)
		}
	}
	for _, text := range append([]string{"", "  ", " a\tb\n\u0085c\u00a0d\u2003e\u3000f ", "a\u200bb"}, tricky...) {
		text = strings.ToValidUTF8(text, "\ufffd")
		v, err := m.call(t, "split", abi.String(text), abi.Null())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strs(v), strings.Fields(text); !slices.Equal(got, want) {
			t.Errorf("split(%.200q, null) = %.200q, want %.200q", text, got, want)
		}
	}
	if _, err := m.call(t, "split", abi.String("a"), abi.String("")); err == nil || !strings.HasPrefix(err.Error(), "sep is empty") {
		t.Errorf("empty sep: %v", err)
	}
}

// BenchmarkCount counts 16 MiB of made-up English, and of Greek, whose characters
// take two bytes.
func BenchmarkCount(b *testing.B) {
	for name, letters := range map[string]string{"ascii": "etaoinshrdlucmfwypvbgkjqxz", "greek": "αοιετσνηυρπκμλωδγχθφβξζψ"} {
		b.Run(name, func(b *testing.B) {
			m := open(b)
			alphabet := []rune(letters)
			r := rand.New(rand.NewPCG(1, 1))
			zipf := rand.NewZipf(r, 1.2, 10, 50000)
			words := make([]string, 50001)
			for i := range words {
				for range 2 + r.IntN(9) {
					words[i] += string(alphabet[r.IntN(len(alphabet))])
				}
			}
			var text []byte
			for len(text) < 16<<20 {
				text = append(append(text, words[zipf.Uint64()]...), " ,.\n"[r.IntN(4)])
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.count(b, part{data: text, first: true, last: true})
			}
		})
	}
}
