package entangle

import (
	"slices"
	"unsafe"

	"entangle.example/entangle/abi"
)

// An Element is what an [Array] may hold.
type Element interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// An Array is a dense array of any number of dimensions, its elements in
// row-major order: the last index varies fastest. Where a task takes or returns
// one, Data is a view of the bytes that travel, not a copy of them. A nil Shape
// stands for one dimension, an empty one for a single element.
type Array[T Element] struct {
	Shape []int
	Data  []T
}

// NewArray returns an array of zeros.
func NewArray[T Element](shape ...int) Array[T] {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return Array[T]{Shape: shape, Data: make([]T, n)}
}

// ArrayOf returns a one-dimensional array of data.
func ArrayOf[T Element](data ...T) Array[T] {
	return Array[T]{Shape: []int{len(data)}, Data: data}
}

// At returns the element at index, which has one number for each dimension.
func (a Array[T]) At(index ...int) T { return a.Data[a.offset(index)] }

// Set sets the element at index to x.
func (a Array[T]) Set(x T, index ...int) { a.Data[a.offset(index)] = x }

func (a Array[T]) offset(index []int) int {
	if len(index) != len(a.Shape) {
		panic(errorf("index %v into an array of shape %v", slices.Clone(index), a.Shape))
	}
	n := 0
	for i, d := range a.Shape {
		if index[i] < 0 || index[i] >= d {
			panic(errorf("index %v is out of an array of shape %v", slices.Clone(index), a.Shape))
		}
		n = n*d + index[i]
	}
	return n
}

// A RawArray is an array of an element type that is known only when it comes, or
// that Go has no type for (float16).
type RawArray = abi.Array

// A DType is the element type of a [RawArray].
type DType = abi.DType

// arrayCodec is how the codec sees an Array[T], whatever T is.
type arrayCodec interface {
	dtype() abi.DType
	value() (abi.Value, error)
}

// arraySetter is the other half of arrayCodec, which changes the array.
type arraySetter interface{ view(abi.Array) }

func (Array[T]) dtype() abi.DType {
	var zero T
	switch any(zero).(type) {
	case bool:
		return abi.BoolArray
	case int8:
		return abi.Int8
	case int16:
		return abi.Int16
	case int32:
		return abi.Int32
	case int64:
		return abi.Int64
	case uint8:
		return abi.Uint8
	case uint16:
		return abi.Uint16
	case uint32:
		return abi.Uint32
	case uint64:
		return abi.Uint64
	case float32:
		return abi.Float32
	}
	return abi.Float64
}

// value and view take the elements for the bytes that travel, which are
// little-endian: so is WebAssembly, and so is every machine that tests this.
func (a Array[T]) value() (abi.Value, error) {
	shape := a.Shape
	if shape == nil { // none given, as opposed to the empty one of a single element
		shape = []int{len(a.Data)}
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a.Data))), len(a.Data)*size)
	return abi.ArrayValue(abi.Array{DType: a.dtype(), Shape: shape, Data: data})
}

func (a *Array[T]) view(raw abi.Array) {
	var zero T
	n := len(raw.Data) / int(unsafe.Sizeof(zero))
	p := unsafe.Pointer(unsafe.SliceData(raw.Data))
	a.Shape = raw.Shape
	switch {
	case n == 0:
		a.Data = []T{}
	case uintptr(p)%unsafe.Alignof(zero) != 0:
		a.Data = make([]T, n)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a.Data))), len(raw.Data)), raw.Data)
	default:
		a.Data = unsafe.Slice((*T)(p), n)
	}
}
