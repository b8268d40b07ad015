package flow_test

import (
	"cmp"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host"
	"entangle.example/entangle/host/flow"
)

// wordsOf counts the words of a text by the definition of tasks/text/README.md,
// straight from it: the text is in one piece, so nothing has to be put together.
func wordsOf(text string, counts map[string]int) (overlong int) {
	isWord := func(r rune) bool { return r != '�' && unicode.In(r, unicode.L, unicode.M, unicode.N) }
	isApostrophe := func(r rune) bool { return r == '\'' || r == '’' }
	for _, chunk := range strings.FieldsFunc(text, func(r rune) bool { return !isWord(r) && !isApostrophe(r) }) {
		if len(chunk) > 4096 {
			overlong++
			continue
		}
		rs := []rune(chunk)
		var word []rune
		flush := func() {
			if len(word) > 0 {
				counts[string(word)]++
			}
			word = nil
		}
		for i, r := range rs {
			switch {
			case !isApostrophe(r):
				word = append(word, unicode.ToLower(r))
			case i > 0 && i+1 < len(rs) && isWord(rs[i-1]) && isWord(rs[i+1]):
				word = append(word, '\'')
			default:
				flush()
			}
		}
		flush()
	}
	return overlong
}

// expected returns what wordcount.star prints for files.
func expected(files map[string]string, unreadable int) string {
	counts := map[string]int{}
	words, size, texts, overlong := 0, 0, 0, 0
	for name, content := range files {
		if strings.Contains(name, " -> ") {
			continue
		}
		if strings.Contains(content[:min(len(content), 8<<10)], "\x00") {
			continue
		}
		texts++
		size += len(content)
		overlong += wordsOf(content, counts)
	}
	type count struct {
		word string
		n    int
	}
	var list []count
	for w, n := range counts {
		list = append(list, count{w, n})
		words += n
	}
	slices.SortFunc(list, func(a, b count) int { return cmp.Or(b.n-a.n, strings.Compare(a.word, b.word)) })
	var b strings.Builder
	list = list[:min(20, len(list))]
	for _, c := range list {
		fmt.Fprintf(&b, "%*d %s\n", len(fmt.Sprint(list[0].n)), c.n, c.word)
	}
	fmt.Fprintf(&b, "%d words in %d text files of %d bytes; %d other files skipped\n", words, texts, size, len(files)-texts-unreadable)
	if overlong > 0 {
		fmt.Fprintf(&b, "%d runs of more than 4096 bytes without a separator were not counted as words\n", overlong)
	}
	return b.String()
}

const wordcount = "../../examples/wordcount/wordcount.star"

func countWords(t *testing.T, h *host.Host, dir string) (out, warned string, err error) {
	return run(t, flow.Config{Host: h, Args: []string{dir}, Paths: []string{dir}}, wordcount, "")
}

// randomText makes text in which everything that the definition of a word tells
// apart is frequent, bytes that are no UTF-8 included.
func randomText(r *rand.Rand, size int) string {
	pieces := []string{"a", "the", "The", "ÉTÉ", "straße", "don't", "rock’n’roll", "'tis", "''", "’", " ", " ", "\n", ", ", "12", "e\u0301",
		"日本語", "\xff", "\x80\x80", "\xe2\x80", "\xf0\x9f", "😀", "İ", "-", "_"}
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(pieces[r.IntN(len(pieces))])
		if r.IntN(3) == 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func TestWordcount(t *testing.T) {
	h := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	random := map[string]string{}
	for i := range 60 {
		random[fmt.Sprintf("%d/%d/f%d.txt", i%3, i%7, i)] = randomText(r, r.IntN(20_000))
	}
	many := map[string]string{}
	for i := range 2500 {
		many[fmt.Sprintf("%d/%d", i%10, i)] = fmt.Sprintf("word%d tail", i%30)
	}
	for name, files := range map[string]map[string]string{
		"nothing":    {},
		"empty":      {"a": "", "b/c": ""},
		"adjacent":   {"a": "one tw", "b": "o three"},
		"binary":     {"a": "x y", "b": "x\x00y", "c": strings.Repeat(" ", 8<<10) + "\x00z"},
		"no UTF-8":   {"a": "caf\xe9 na\xc3\xafve \xed\xa0\x80x", "b": "\xff\xfe"},
		"random":     random,
		"many files": many,
		"one line":   {"a": strings.Repeat("Größe, l'été x ", 250_000), "b": strings.Repeat("y", 5<<20) + " end", "c": randomText(r, 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			out, warned, err := countWords(t, h, tree(t, files))
			if want := expected(files, 0); out != want || warned != "" || err != nil {
				t.Errorf("printed\n%s\nwant\n%s\n%s%v", out, want, warned, err)
			}
		})
	}
}

func TestWordcountUnreadable(t *testing.T) {
	files := map[string]string{"a": "one two", "out -> /etc/passwd": "", "gone -> nothing": ""}
	dir := tree(t, files)
	out, warned, err := countWords(t, open(t), dir)
	if want := expected(files, 2); out != want {
		t.Errorf("printed\n%s\nwant\n%s", out, want)
	}
	want := "wordcount.star: " + dir + "/gone: no such file or directory\nwordcount.star: " + dir + "/out: leads out of " + dir + ", which is what was granted\n"
	if warned != want || err == nil || codeOf(t, err) != abi.Failed || !strings.Contains(err.Error(), "fail: 2 of 3 files could not be read") {
		t.Errorf("warned\n%s\nwant\n%s\n%v", warned, want, err)
	}
}

func TestWordcountNothingNamed(t *testing.T) {
	h := open(t)
	if _, _, err := run(t, flow.Config{Host: h}, wordcount, ""); err == nil || !strings.Contains(err.Error(), "usage: ") {
		t.Errorf("error %v", err)
	}
	if _, _, err := countWords(t, h, filepath.Join(t.TempDir(), "nothing")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v", err)
	}
}

func TestMandelbrot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.png")
	c := flow.Config{Host: open(t), Args: []string{file, "300", "200"}}
	c.Paths = c.Args
	out, _, err := run(t, c, "../../examples/mandelbrot/mandelbrot.star", "")
	if want := file + ": 300 × 200 pixels, 6 tiles\n"; out != want || err != nil {
		t.Fatalf("printed %q, %v", out, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil || img.Bounds() != image.Rect(0, 0, 300, 200) {
		t.Fatalf("image %v, %v", img, err)
	}
	black, unlike := 0, 0
	for y := range 200 {
		for x := range 300 {
			r, g, b, _ := img.At(x, y).RGBA()
			if r|g|b == 0 {
				black++
			}
			// The set is its own mirror image, but for how numbers are rounded.
			if r2, _, _, _ := img.At(x, 199-y).RGBA(); max(r, r2)-min(r, r2) > 0x1000 {
				unlike++
			}
		}
	}
	if unlike > 300 {
		t.Errorf("%d pixels differ from their mirror images", unlike)
	}
	// The set covers 1.5066 of the plane; a pixel covers the square of its step.
	step := max(3.5/300, 2.6/200)
	if area := float64(black) * step * step; area < 1.45 || area > 1.6 {
		t.Errorf("the black area is %.3f of the plane, want about 1.51", area)
	}
	for _, args := range [][]string{{}, {file, "0"}, {file, "x"}, {file, "1", "2", "3"}} {
		c.Args = args
		if _, _, err := run(t, c, "../../examples/mandelbrot/mandelbrot.star", ""); err == nil || codeOf(t, err) != abi.Failed {
			t.Errorf("%q: %v", args, err)
		}
	}
}
