// Command counts is a module of typed tasks that put a word count together: what
// text's count makes of the parts of files, merge joins, finish closes, and top
// ranks. ../text/README.md says what partials are.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o counts.wasm ./tasks/counts
package main

import "entangle.example/entangle/sdk/go"

func init() {
	entangle.Reserve(16 << 20) // for partials of 50,000 words, as they are usual
	entangle.Module("Puts the parts of a word count together.")
	entangle.Task("merge", merge, entangle.Params("partials: list"), entangle.Returns("map"),
		entangle.Doc("Merges partials of consecutive parts, in order, into one."))
	entangle.Task("finish", finish, entangle.Params("partial: map"), entangle.Returns("map"),
		entangle.Doc("Closes a partial and gives {counts, words, overlong, bytes, errors}."))
	entangle.Task("top", top, entangle.Params("counts: map[int]", "n"), entangle.Returns("list"),
		entangle.Doc("Lists the n most frequent words as [word, count], most frequent first."))
}

func main() {}
