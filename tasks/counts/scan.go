package main

// What a word is, as tasks/text/README.md defines it.

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxChunk = 4096 // bytes of a chunk that holds words

	// maxRest is the largest rest: head, tail and the space between them, each
	// border a stand-in for an overlong run and the pieces of a character.
	maxRest = 2*(maxChunk+1+3) + 1
)

// isWord reports whether r is of the Unicode category L, M or N.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N)
}

func isApostrophe(r rune) bool { return r == '\'' || r == '’' }

// scan counts the words of text that it can be sure of, and returns the bytes at
// both ends that what precedes or follows may change, with a space for what was
// between them.
func scan(text []byte, counts map[string]int64, overlong *int64) (rest []byte) {
	lead := 0 // continuation bytes of a character that may begin in what precedes
	for lead < min(3, len(text)) && text[lead]&0xc0 == 0x80 {
		lead++
	}
	trail := len(text) // where a character begins that may end in what follows
	for i := len(text) - 1; i >= max(lead, len(text)-3); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				trail = i
			}
			break
		}
	}
	const none = -1
	head, start := none, lead // the first separator; where the current chunk begins
	for i := lead; i < trail; {
		r, size := utf8.DecodeRune(text[i:trail])
		if !isWord(r) && !isApostrophe(r) {
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
		rest = append(appendRun(rest, text[lead:head]), ' ')
	}
	return append(appendRun(rest, text[start:trail]), text[trail:]...)
}

// appendRun appends a run at a border to rest, a stand-in where it is overlong
// whatever it is joined with.
func appendRun(rest, run []byte) []byte {
	if len(run) > maxChunk {
		return append(rest, strings.Repeat("a", maxChunk+1)...)
	}
	return append(rest, run...)
}

// countChunk adds the words of a chunk, a run of word characters and apostrophes
// between two separators, to counts.
func countChunk(chunk []byte, counts map[string]int64, overlong *int64) {
	if len(chunk) > maxChunk {
		*overlong++
		return
	}
	var word []byte
	flush := func() {
		if len(word) > 0 {
			counts[string(word)]++
			word = word[:0]
		}
	}
	inWord := false // the character before is a word character
	for i := 0; i < len(chunk); {
		r, size := utf8.DecodeRune(chunk[i:])
		i += size
		if !isApostrophe(r) {
			word = utf8.AppendRune(word, unicode.ToLower(r))
			inWord = true
			continue
		}
		next, _ := utf8.DecodeRune(chunk[i:])
		if inWord && i < len(chunk) && !isApostrophe(next) {
			word = append(word, '\'')
		} else {
			flush()
		}
		inWord = false
	}
	flush()
}
