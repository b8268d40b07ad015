package host

// How messages write what a guest or a user has named.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// someOf lists names, not too many and none too long.
func someOf(names []string) string {
	const most, longest = 12, 200
	short := slices.Clone(names[:min(len(names), most)])
	for i, n := range short {
		if len(n) > longest {
			short[i] = strings.ToValidUTF8(n[:longest], "") + "…"
		}
	}
	text := printable(strings.Join(short, ", "))
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

// printable returns text of a guest for a message: with escapes for what could
// steer a terminal.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// sizeText returns a number of bytes for a message.
func sizeText(n uint64) string {
	for _, u := range []struct {
		shift uint
		name  string
	}{{30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		one := uint64(1) << u.shift
		text, whole := strings.CutSuffix(fmt.Sprintf("%.1f", float64(n)/float64(one)), ".0")
		if n >= one && (!whole || n%one == 0) {
			return text + " " + u.name
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// Nearest returns up to three of names that someone who typed name may have
// meant, the nearest first.
func Nearest(name string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	var cs []candidate
	for _, n := range names {
		far := distance(strings.ToLower(name), strings.ToLower(n))
		if far <= max(1, len(name)/3) || len(name) > 2 && strings.HasPrefix(n, name) {
			cs = append(cs, candidate{n, far})
		}
	}
	slices.SortStableFunc(cs, func(a, b candidate) int { return a.far - b.far })
	var near []string
	for _, c := range cs[:min(len(cs), 3)] {
		near = append(near, c.name)
	}
	return near
}

// distance returns the Levenshtein distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
