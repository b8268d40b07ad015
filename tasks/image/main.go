// Command image is a module of typed tasks that make files of pixels.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o image.wasm ./tasks/image
package main

import "entangle.example/entangle/sdk/go"

func init() {
	entangle.Reserve(16 << 20) // for an image of a megapixel
	entangle.Module("Makes image files of pixels.")
	entangle.Task("png", encodePNG, entangle.Params("tiles: list", "width", "height"),
		entangle.Doc("Assembles tiles {x, y, pixels: array[uint8] of shape [h, w, 3]} to a PNG file."))
}

func main() {}
