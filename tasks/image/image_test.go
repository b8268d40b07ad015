package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"entangle.example/entangle/sdk/go"
)

// shade is the color of the pixel at (x, y) of the test image.
func shade(x, y int) color.RGBA {
	return color.RGBA{uint8(x * 3), uint8(y * 5), uint8(x ^ y), 0xff}
}

func shadedTile(x, y, width, height int) tile {
	t := tile{x, y, entangle.NewArray[uint8](height, width, 3)}
	for j := range height {
		for i := range width {
			c := shade(x+i, y+j)
			copy(t.Pixels.Data[(j*width+i)*3:], []uint8{c.R, c.G, c.B})
		}
	}
	return t
}

func decode(t *testing.T, file []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPNG(t *testing.T) {
	const width, height = 37, 23
	var tiles []tile
	for y := 0; y < height; y += 8 {
		for x := 0; x < width; x += 10 {
			tiles = append(tiles, shadedTile(x, y, min(10, width-x), min(8, height-y)))
		}
	}
	tiles = append(tiles, shadedTile(3, 3, 0, 4))
	file, err := encodePNG(tiles, width, height)
	if err != nil {
		t.Fatal(err)
	}
	if file[25] != 2 {
		t.Errorf("color type %d, want 2: red, green and blue", file[25])
	}
	img := decode(t, file)
	if size := img.Bounds().Size(); size != image.Pt(width, height) {
		t.Fatalf("size %v", size)
	}
	for y := range height {
		for x := range width {
			if got := color.RGBAModel.Convert(img.At(x, y)); got != shade(x, y) {
				t.Fatalf("pixel (%d, %d) is %v, want %v", x, y, got, shade(x, y))
			}
		}
	}
}

func TestUncoveredAndOverlapping(t *testing.T) {
	first, second := shadedTile(1, 0, 2, 1), shadedTile(2, 0, 1, 1)
	second.Pixels.Data[0] = 200
	file, err := encodePNG([]tile{first, second}, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	img := decode(t, file)
	over := shade(2, 0)
	over.R = 200
	for x, want := range []color.RGBA{{A: 0xff}, shade(1, 0), over, {A: 0xff}} {
		if got := color.RGBAModel.Convert(img.At(x, 0)); got != want {
			t.Errorf("pixel %d is %v, want %v", x, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	flat := tile{Pixels: entangle.NewArray[uint8](4, 4)}
	gray := tile{Pixels: entangle.NewArray[uint8](4, 4, 1)}
	for _, c := range []struct {
		tiles         []tile
		width, height int
		want          string
	}{
		{nil, 0, 1, "an image of 0 × 1 pixels"},
		{nil, 1, -1, "an image of 1 × -1 pixels"},
		{nil, 1 << 20, 1 << 20, "at most"},
		{nil, math.MaxInt, math.MaxInt, "at most"},
		{nil, maxPixels + 1, 1, "at most"},
		{[]tile{flat}, 4, 4, "tile 0: pixels of shape [4 4], want"},
		{[]tile{shadedTile(0, 0, 1, 1), gray}, 4, 4, "tile 1: pixels of shape [4 4 1], want"},
		{[]tile{shadedTile(1, 0, 4, 4)}, 4, 4, "tile 0: 4 × 4 pixels at (1, 0) are not within the image of 4 × 4"},
		{[]tile{shadedTile(0, 1, 4, 4)}, 4, 4, "are not within"},
		{[]tile{{X: -1, Pixels: entangle.NewArray[uint8](1, 1, 3)}}, 4, 4, "are not within"},
		{[]tile{{X: math.MaxInt, Y: math.MinInt, Pixels: entangle.NewArray[uint8](1, 1, 3)}}, 4, 4, "are not within"},
	} {
		if _, err := encodePNG(c.tiles, c.width, c.height); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d × %d: got %v, want %q", c.width, c.height, err, c.want)
		}
	}
}

// TestTileAsMap is what callers in other languages send.
func TestTileAsMap(t *testing.T) {
	v, err := entangle.From(map[string]any{"x": 2, "y": 1, "pixels": entangle.NewArray[uint8](1, 2, 3)})
	if err != nil {
		t.Fatal(err)
	}
	var got tile
	if err := entangle.Into(v, &got); err != nil || got.X != 2 || got.Y != 1 || len(got.Pixels.Data) != 6 {
		t.Errorf("got %+v, %v", got, err)
	}
}
