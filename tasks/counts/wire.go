package main

// Partials are read from and written to the wire directly: a partial of 50,000
// words is no 100,000 values and strings, but one slice of counts whose words are
// views of the bytes that the host wrote. The host has checked these bytes, and
// has sorted the keys of each map (abi/README.md, "Values on the wire"); what is
// wrong here is only what the types of merge and finish do not say.

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"entangle.example/entangle/sdk/go"
)

// The major types of CBOR that occur here.
const (
	majorInt   = 0
	majorBytes = 2
	majorText  = 3
	majorList  = 4
	majorMap   = 5
)

var majorNames = [...]string{"an int of at least 0", "a negative int", "bytes", "a string", "a list", "a map", "an array", "a simple value"}

var errEndsEarly = errors.New("the encoding ends early")

// A reader reads one item after the other. Its first error stays.
type reader struct {
	b   []byte
	err error
}

// fail keeps the first error and leaves nothing to read.
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// head reads the head of an item.
func (r *reader) head() (major int, n uint64) {
	if len(r.b) == 0 {
		r.fail(errEndsEarly)
		return 0, 0
	}
	first := r.b[0]
	major, n = int(first>>5), uint64(first&0x1f)
	if n < 24 {
		r.b = r.b[1:]
		return major, n
	}
	size := 1 + 1<<(n&3) // 24 … 27: 1, 2, 4, 8 bytes
	if n > 27 || len(r.b) < size {
		r.fail(errEndsEarly)
		return 0, 0
	}
	n = 0
	for _, x := range r.b[1:size] {
		n = n<<8 | uint64(x)
	}
	r.b = r.b[size:]
	return major, n
}

// want reads the head of an item of the given major type, and says what it was
// wanted for if it is of another.
func (r *reader) want(major int, what string) uint64 {
	got, n := r.head()
	if got != major && r.err == nil {
		r.fail(fmt.Errorf("%s: want %s, got %s", what, majorNames[major], majorNames[got]))
		return 0
	}
	return n
}

// take reads the bytes that a head announced, without copying them.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail(errEndsEarly)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// text reads a string without copying it.
func (r *reader) text(what string) string {
	b := r.take(r.want(majorText, what))
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// count reads the head of a list or a map of n items of size bytes or more.
func (r *reader) count(major int, what string, size int) int {
	n := r.want(major, what)
	if n > uint64(len(r.b)/size) {
		r.fail(errEndsEarly)
		return 0
	}
	return int(n)
}

// number reads an int that is not negative.
func (r *reader) number(what string) int64 {
	n := r.want(majorInt, what)
	if n > math.MaxInt64 {
		r.fail(fmt.Errorf("%s is beyond int64", what))
	}
	return int64(n)
}

// skip reads over one item.
func (r *reader) skip() {
	for left := uint64(1); left > 0 && r.err == nil; left-- {
		major, n := r.head()
		switch major {
		case majorBytes, majorText:
			r.take(n)
		case majorList, majorMap:
			if n > uint64(len(r.b)) {
				r.fail(errEndsEarly)
			}
			left += n * uint64(major-majorList+1)
		case 6: // a tag
			left++
		}
	}
}

// counts reads a map of words to how often they occur.
func (r *reader) counts() []count {
	cs := make([]count, r.count(majorMap, keyCounts, 2))
	for i := range cs {
		c := &cs[i]
		// Most words and most counts have heads of one byte: the general way
		// costs three times as much.
		if b := r.b; len(b) > 32 && b[0] >= majorText<<5 && b[0] < majorText<<5+24 {
			n := int(b[0] - majorText<<5)
			c.word = unsafe.String(&b[1], n)
			r.b = b[1+n:]
		} else {
			c.word = r.text("a word")
		}
		if b := r.b; len(b) > 0 && b[0] < 24 {
			c.n = int64(b[0])
			r.b = b[1:]
		} else {
			c.n = r.number("a count")
		}
		if c.n < 1 || r.err != nil {
			r.fail(fmt.Errorf("the count of %q is less than 1", c.word))
			return nil
		}
	}
	return cs
}

// strings reads a list of strings.
func (r *reader) strings(what string) []string {
	ss := make([]string, r.count(majorList, what, 1))
	for i := range ss {
		ss[i] = r.text(what)
	}
	return ss
}

// partial reads a partial.
func (r *reader) partial() (p partial) {
	seen := 0
	for range r.count(majorMap, "a partial", 2) {
		seen++
		switch r.text("a key") {
		case keyCounts:
			p.counts = r.counts()
		case keyRest:
			p.rest = r.take(r.want(majorBytes, keyRest))
		case keyOverlong:
			p.overlong = r.number(keyOverlong)
		case keyBytes:
			p.bytes = r.number(keyBytes)
		case keyErrors:
			p.errors = r.strings(keyErrors)
		default:
			seen--
			r.skip()
		}
	}
	// Keys are distinct, so five that are known are all.
	if seen != 5 && r.err == nil {
		r.fail(fmt.Errorf("no partial: it has %d of the keys %s, %s, %s, %s and %s", seen, keyRest, keyBytes, keyCounts, keyErrors, keyOverlong))
	}
	if len(p.rest) > maxRest {
		r.fail(fmt.Errorf("%s has %d bytes, want at most %d", keyRest, len(p.rest), maxRest))
	}
	return p
}

func appendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return append(b, major|25, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return append(b, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, major|27, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func appendText(b []byte, s string) []byte {
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

func appendNumber(b []byte, key string, n int64) []byte {
	return appendHead(appendText(b, key), majorInt, uint64(n))
}

// appendCounts appends the key and the map of counts.
func appendCounts(b []byte, counts []count) []byte {
	b = appendHead(appendText(b, keyCounts), majorMap, uint64(len(counts)))
	for _, c := range counts {
		b = appendHead(appendText(b, c.word), majorInt, uint64(c.n))
	}
	return b
}

func appendErrors(b []byte, errors []string) []byte {
	b = appendHead(appendText(b, keyErrors), majorList, uint64(len(errors)))
	for _, e := range errors {
		b = appendText(b, e)
	}
	return b
}

// room returns a buffer that all of p fits into.
func (p partial) room() []byte {
	n := 256 + len(p.rest)
	for _, c := range p.counts {
		n += 4 + len(c.word)
		if len(c.word) > 255 || c.n > math.MaxUint8 {
			n += 12
		}
	}
	for _, e := range p.errors {
		n += 9 + len(e)
	}
	return make([]byte, 0, n)
}

// encode returns p as it travels, its keys in the order of the wire.
func (p partial) encode() entangle.Encoded {
	b := appendHead(p.room(), majorMap, 5)
	b = appendHead(appendText(b, keyRest), majorBytes, uint64(len(p.rest)))
	b = append(b, p.rest...)
	b = appendNumber(b, keyBytes, p.bytes)
	b = appendCounts(b, p.counts)
	b = appendErrors(b, p.errors)
	return appendNumber(b, keyOverlong, p.overlong)
}

// encodeTotals returns what finish makes of p, which has words words.
func (p partial) encodeTotals(words int64) entangle.Encoded {
	b := appendHead(p.room(), majorMap, 5)
	b = appendNumber(b, keyBytes, p.bytes)
	b = appendNumber(b, keyWords, words)
	b = appendCounts(b, p.counts)
	b = appendErrors(b, p.errors)
	return appendNumber(b, keyOverlong, p.overlong)
}
