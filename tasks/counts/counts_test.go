package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"entangle.example/entangle/sdk/go"
)

// A part is what the text module's count takes; data is nil for an error.
type part struct {
	data        []byte
	first, last bool
	failure     string
}

// countPart is what the text module's count makes of one part.
func countPart(p part) partial {
	if p.failure != "" {
		return partial{rest: []byte(" "), errors: []string{p.failure}}
	}
	text := slices.Clone(p.data)
	if p.first {
		text = slices.Concat([]byte(" "), text)
	}
	if p.last {
		text = append(text, ' ')
	}
	out := partial{bytes: int64(len(p.data))}
	counts := map[string]int64{}
	out.rest = scan(text, counts, &out.overlong)
	out.counts = sortedCounts(counts)
	return out
}

// naiveCount counts the words of a whole file in the words of the definition,
// with none of the code that it tests.
func naiveCount(text []byte, counts map[string]int64, overlong *int64) {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) }
	valid := []rune{}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		valid = append(valid, r)
		i += n
	}
	for _, chunk := range strings.FieldsFunc(string(valid), func(r rune) bool { return !word(r) && r != '\'' && r != '’' }) {
		if len(chunk) > 4096 {
			*overlong++
			continue
		}
		rs := []rune(strings.ReplaceAll(chunk, "’", "'"))
		for i, r := range rs {
			if r == '\'' && (i == 0 || i == len(rs)-1 || !word(rs[i-1]) || !word(rs[i+1])) {
				rs[i] = ' '
			}
		}
		for _, w := range strings.Fields(string(rs)) {
			counts[strings.Map(unicode.ToLower, w)]++
		}
	}
}

func countsMap(cs []count) map[string]int64 {
	m := map[string]int64{}
	for _, c := range cs {
		m[c.word] = c.n
	}
	return m
}

// mergeList merges encoded partials as the task does.
func mergeList(t testing.TB, partials []entangle.Encoded) entangle.Encoded {
	t.Helper()
	list := appendHead(nil, majorList, uint64(len(partials)))
	for _, p := range partials {
		list = append(list, p...)
	}
	out, err := merge(list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// encode returns x in the encoding of the host.
func encode(t testing.TB, x any) entangle.Encoded {
	t.Helper()
	v, err := entangle.From(x)
	if err != nil {
		t.Fatal(err)
	}
	var e entangle.Encoded
	if err := entangle.Into(v, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// mergeAny merges ps in a random order of merges, whose result is to be the same.
func mergeAny(t testing.TB, rng *rand.Rand, ps []entangle.Encoded) entangle.Encoded {
	t.Helper()
	ps = slices.Clone(ps)
	for len(ps) > 1 {
		i := rng.IntN(len(ps))
		n := min(len(ps)-i, 1+rng.IntN(4))
		ps = slices.Replace(ps, i, i+n, mergeList(t, ps[i:i+n]))
	}
	return mergeList(t, ps)
}

// randomText writes words, separators, broken encodings and overlong runs.
func randomText(rng *rand.Rand) []byte {
	pieces := []string{"a", "B", "don't", "’tis", "''", "'", "’", "é", "İ", "水", "\U0001F600", "\U00010400", "٣", "é", " ", "\n", ", ",
		"\xff", "\x80", "\x80\x80\x80\x80", "\xe2\x80", "\xf0\x90", "�", "x’y", "\x00"}
	var b []byte
	for range rng.IntN(60) {
		if rng.IntN(40) == 0 {
			b = append(b, strings.Repeat(pieces[rng.IntN(8)], 800+rng.IntN(3)*1200)...)
		}
		b = append(b, pieces[rng.IntN(len(pieces))]...)
	}
	return b
}

func TestSplitsMergeToTheWhole(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		want, wantOver, wantBytes := map[string]int64{}, int64(0), int64(0)
		var wantErrors []string
		var parts []entangle.Encoded
		for range 1 + rng.IntN(3) { // files
			if rng.IntN(6) == 0 {
				wantErrors = append(wantErrors, fmt.Sprint("no file ", len(wantErrors)))
				parts = append(parts, countPart(part{failure: wantErrors[len(wantErrors)-1]}).encode())
			}
			text := randomText(rng)
			naiveCount(text, want, &wantOver)
			wantBytes += int64(len(text))
			cuts := []int{0, len(text)}
			for range rng.IntN(8) {
				cuts = append(cuts, rng.IntN(len(text)+1))
			}
			slices.Sort(cuts)
			for i := range len(cuts) - 1 {
				p := part{data: text[cuts[i]:cuts[i+1]], first: i == 0, last: i == len(cuts)-2}
				parts = append(parts, countPart(p).encode())
			}
			if rng.IntN(4) == 0 {
				parts = append(parts, partial{}.encode()) // the identity
			}
		}
		one, other := mergeList(t, parts), mergeAny(t, rng, parts)
		if !bytes.Equal(one, other) {
			t.Fatalf("seed %d: merging is not associative:\n%q\n%q", seed, one, other)
		}
		encoded, err := finish(other)
		if err != nil {
			t.Fatal(err)
		}
		done, err := entangle.From(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if again := encode(t, done); !bytes.Equal(again, encoded) {
			t.Fatalf("seed %d: the encoding is not the deterministic one:\n%q\n%q", seed, encoded, again)
		}
		var got struct {
			Counts                 map[string]int64
			Words, Overlong, Bytes int64
			Errors                 []string
		}
		if err := entangle.Into(done, &got); err != nil {
			t.Fatal(err)
		}
		words := int64(0)
		for _, n := range want {
			words += n
		}
		if !maps.Equal(got.Counts, want) || got.Overlong != wantOver || got.Words != words || got.Bytes != wantBytes || !slices.Equal(got.Errors, wantErrors) {
			t.Fatalf("seed %d: got %+v\nwant %v, overlong %d, words %d, bytes %d, errors %q", seed, got, want, wantOver, words, wantBytes, wantErrors)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"'tis don't a''b":            "'tis=0 a=1 b=1 don't=1 tis=1",
		"It’s IT'S":                  "it's=2",
		"Straße STRASSE":             "strasse=1 straße=1",
		"İ":                          "i=1",
		"été ÉTÉ":                    "été=2",
		"a-b_c":                      "a=1 b=1 c=1",
		"3rd ٣":                      "3rd=1 ٣=1",
		strings.Repeat("a", 4096):    strings.Repeat("a", 4096) + "=1",
		strings.Repeat("a", 4097):    "",
		"x\xffy":                     "x=1 y=1",
		"'":                          "",
		"\xe6\xb0\xb4 \xe6\xb0 \xe6": "水=1",
	} {
		p, err := finishPartial(countPart(part{data: []byte(text), first: true, last: true}))
		if err != nil {
			t.Fatal(err)
		}
		got := countsMap(p.counts)
		wanted := map[string]int64{}
		for _, f := range strings.Fields(want) {
			i := strings.LastIndexByte(f, '=')
			if n := int64(f[i+1] - '0'); n > 0 {
				wanted[f[:i]] = n
			}
		}
		if !maps.Equal(got, wanted) {
			t.Errorf("%.40q: got %v, want %v", text, got, wanted)
		}
	}
}

func TestRestIsSmall(t *testing.T) {
	text := slices.Concat([]byte("\x80\x80\x80"), bytes.Repeat([]byte("é"), 5000), []byte(" "), bytes.Repeat([]byte("é"), 5000), []byte("\xf0\x90\x90"))
	p := countPart(part{data: text})
	if len(p.rest) != maxRest {
		t.Errorf("the largest rest has %d bytes, want %d", len(p.rest), maxRest)
	}
}

func TestMergeCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]int64{}
	var lists [][]count
	for range 7 {
		m := map[string]int64{}
		for range rng.IntN(300) {
			k := fmt.Sprint(rng.IntN(200))
			m[k]++
			want[k]++
		}
		lists = append(lists, sortedCounts(m))
	}
	got, err := mergeCounts(lists)
	if err != nil || !maps.Equal(countsMap(got), want) || len(got) != len(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if !slices.IsSortedFunc(got, func(a, b count) int { return compareKeys(a.word, b.word) }) {
		t.Error("not sorted")
	}
	big := []count{{"a", math.MaxInt64}}
	if _, err := mergeCounts([][]count{big, big}); err == nil {
		t.Error("a count beyond int64: no error")
	}
}

func TestTop(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	counts := map[string]int64{}
	for range 500 {
		counts[fmt.Sprint("w", rng.IntN(1000))] = 1 + rng.Int64N(20)
	}
	type pair struct {
		word string
		n    int64
	}
	var want []pair
	for w, n := range counts {
		want = append(want, pair{w, n})
	}
	slices.SortFunc(want, func(a, b pair) int {
		if a.n != b.n {
			return int(b.n - a.n)
		}
		return strings.Compare(a.word, b.word)
	})
	v := encode(t, counts)
	for _, n := range []int{0, 1, 2, 7, 30, 100, len(counts), 10_000, math.MaxInt} {
		got, err := top(v, n)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := got.List()
		if len(list) != min(n, len(want)) {
			t.Errorf("top %d has %d", n, len(list))
		}
		for i, e := range list {
			p, _ := e.List()
			word, _ := p[0].Str()
			count, _ := p[1].Int()
			if (pair{word, count}) != want[i] {
				t.Errorf("top %d, number %d: got %s %d, want %v", n, i, word, count, want[i])
			}
		}
	}
	if _, err := top(v, -1); err == nil {
		t.Error("top of -1: no error")
	}
	if _, err := top(entangle.Encoded{1}, 1); err == nil {
		t.Error("top of an int: no error")
	}
}

func TestNoPartial(t *testing.T) {
	good := map[string]any{"counts": map[string]int{"a": 1}, "rest": []byte("x"), "overlong": 0, "bytes": 2, "errors": []string{"e"}}
	check := func(wantError bool, change string, to any) {
		t.Helper()
		m := maps.Clone(good)
		if m[change] = to; to == nil {
			delete(m, change)
		}
		v := encode(t, m)
		_, err := merge(encode(t, []entangle.Encoded{v, v}))
		if _, ferr := finish(v); (err != nil) != wantError || (ferr != nil) != (wantError && change != "") {
			t.Errorf("%s: %v: merge says %v, finish %v", change, to, err, ferr)
		}
	}
	check(false, "more", []any{map[string]any{"a": []byte("b")}, entangle.ArrayOf(1.5), nil, -1})
	for key := range good {
		check(true, key, nil)
		check(true, key, "of another type")
	}
	check(true, "counts", map[string]any{"a": 1.0})
	check(true, "counts", map[string]any{"a": 0})
	check(true, "rest", bytes.Repeat([]byte("a"), maxRest+1))
	check(true, "errors", []int{1})
	check(true, "overlong", -1)
	for _, partials := range []any{nil, 1, []any{nil}, []any{good, "x"}} {
		if _, err := merge(encode(t, partials)); err == nil {
			t.Errorf("%v as partials: no error", partials)
		}
	}
	good["bytes"] = math.MaxInt64
	if _, err := merge(encode(t, []any{good, good})); err == nil {
		t.Error("bytes beyond int64: no error")
	}
}

// TestCutShort gives the reader what the host would never send.
func TestCutShort(t *testing.T) {
	whole := encode(t, []any{map[string]any{"counts": map[string]int{"a": 1, strings.Repeat("long", 10): 1000}, "rest": []byte("x"),
		"overlong": 300, "bytes": 2, "errors": []string{"e"}, "more": []int{1, 2}}})
	if _, err := merge(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if _, err := merge(whole[:i:i]); err == nil {
			t.Errorf("%d of %d bytes: no error", i, len(whole))
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	list := appendHead(nil, majorList, 2)
	for i := range 2 {
		m := map[string]int64{}
		for w := range 50_000 {
			m[fmt.Sprint("word", w*(2+i))] = int64(w + 1)
		}
		list = append(list, partial{counts: sortedCounts(m)}.encode()...)
	}
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		if _, err := merge(list); err != nil {
			b.Fatal(err)
		}
	}
}
