package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"entangle.example/entangle/sdk/go"
)

// maxPixels is the largest image, 32 Mi pixels: its tiles take 96 MiB, and the
// image that is made of them 128 MiB.
const maxPixels = 32 << 20

// A tile is a rectangle of an image. Its pixels have the shape [height, width, 3]:
// red, green and blue.
type tile struct {
	X, Y   int
	Pixels entangle.Array[uint8]
}

// encodePNG assembles tiles to an image and returns it as a PNG file. What no tile
// covers is black; where tiles overlap, the later one counts.
func encodePNG(tiles []tile, width, height int) ([]byte, error) {
	if width < 1 || height < 1 || width > maxPixels/height {
		return nil, fmt.Errorf("an image of %d × %d pixels: want at least 1 × 1, and at most %d in all", width, height, maxPixels)
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 0xff // an image without transparency has no fourth channel in the file
	}
	for i, t := range tiles {
		if err := t.draw(img); err != nil {
			return nil, fmt.Errorf("tile %d: %w", i, err)
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// draw copies t into img.
func (t tile) draw(img *image.RGBA) error {
	shape := t.Pixels.Shape
	if len(shape) != 3 || shape[2] != 3 {
		return fmt.Errorf("pixels of shape %v, want [height, width, 3]", shape)
	}
	height, width := shape[0], shape[1]
	size := img.Bounds().Size()
	if t.X < 0 || t.Y < 0 || t.X > size.X-width || t.Y > size.Y-height {
		return fmt.Errorf("%d × %d pixels at (%d, %d) are not within the image of %d × %d", width, height, t.X, t.Y, size.X, size.Y)
	}
	from := t.Pixels.Data
	for y := range height {
		to := img.Pix[img.PixOffset(t.X, t.Y+y):]
		for x := range width {
			copy(to[4*x:4*x+3], from[3*x:3*x+3])
		}
		from = from[3*width:]
	}
	return nil
}
