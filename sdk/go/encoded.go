package entangle

import (
	"reflect"

	"entangle.example/entangle/abi"
)

// An Encoded is a value as it travels, one CBOR item (abi/README.md, "Values on
// the wire"), for tasks whose values are too large to be taken apart first. As a
// parameter it is a view of what the host wrote: in the deterministic encoding,
// checked, and not to be kept. As a result it is sent as it is, unchecked but by
// the host.
type Encoded []byte

var encodedType = reflect.TypeFor[Encoded]()

// encodedCodec is for where an Encoded is part of a value that is not.
var encodedCodec = codec{
	typ: abi.Any,
	decode: func(v Value, to reflect.Value) error {
		b, err := abi.Encode(v)
		to.SetBytes(b)
		return err
	},
	encode: func(from reflect.Value, _ int) (Value, error) { return abi.Decode(from.Bytes(), abi.Limits{}) },
}

// splitList returns the items of an encoded list, without looking at more of
// them than it must: the last one is whatever is left.
func splitList(list []byte) ([][]byte, error) {
	major, n, size := readHead(list)
	if size == 0 || major != 4 || n > uint64(len(list)) {
		return nil, errorf("want a list")
	}
	list = list[size:]
	if n == 0 && len(list) > 0 {
		return nil, errorf("%d bytes follow the list", len(list))
	}
	items := make([][]byte, n)
	for i := range items {
		size := len(list)
		if i < len(items)-1 {
			size = itemLen(list)
		}
		if size == 0 {
			return nil, errorf("the list ends early, or is not one")
		}
		items[i], list = list[:size:size], list[size:]
	}
	return items, nil
}

// itemLen returns the length of the item at the start of b, or 0 if there is none.
func itemLen(b []byte) int {
	off := 0
	for left := uint64(1); left > 0; left-- {
		major, n, size := readHead(b[off:])
		if size == 0 {
			return 0
		}
		off += size
		rest := uint64(len(b) - off)
		switch major {
		case 2, 3:
			if n > rest {
				return 0
			}
			off += int(n)
		case 4, 5:
			if n > rest { // an item is a byte at least
				return 0
			}
			left += n * uint64(major-3)
		case 6:
			left++
		}
	}
	return off
}

// readHead reads an item's major type and argument, and returns the length of
// both, or 0 where they are none.
func readHead(b []byte) (major byte, n uint64, size int) {
	if len(b) == 0 {
		return 0, 0, 0
	}
	major, n, size = b[0]>>5, uint64(b[0]&0x1f), 1
	if n < 24 {
		return major, n, size
	}
	if n > 27 {
		return 0, 0, 0
	}
	size += 1 << (n - 24)
	if len(b) < size {
		return 0, 0, 0
	}
	n = 0
	for _, x := range b[1:size] {
		n = n<<8 | uint64(x)
	}
	return major, n, size
}
