package generate

// A source hands out choices. Zero is always the simplest choice, and what a
// source that ran out of bytes answers, so a short input gives a small module and
// a byte that the fuzzer changes changes one choice.
type source struct{ bytes []byte }

func (s *source) byte() byte {
	if len(s.bytes) == 0 {
		return 0
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return b
}

// bits returns a number of n bytes.
func (s *source) bits(n int) (v uint64) {
	for range n {
		v = v<<8 | uint64(s.byte())
	}
	return v
}

// below returns a number in [0, n).
func (s *source) below(n int) int {
	width := 1
	for limit := 1 << 8; limit < n; limit <<= 8 {
		width++
	}
	return int(s.bits(width) % uint64(n))
}

// chance is true in p of 256 cases.
func (s *source) chance(p int) bool { return int(s.byte()) >= 256-p }

// split deals the remaining bytes out to n sources, so that the first function
// does not use up what the last one needs.
func (s *source) split(n int) []source {
	parts := make([]source, n)
	for i := range parts {
		size := len(s.bytes) / (n - i)
		parts[i], s.bytes = source{s.bytes[:size:size]}, s.bytes[size:]
	}
	return parts
}

func one[T any](s *source, list []T) T { return list[s.below(len(list))] }
