package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme holds the README to what its commands really print.
func TestReadme(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for _, c := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			line, want, _ := strings.Cut(c, "\n")
			args, ok := strings.CutPrefix(line, "entangle ")
			// Some print what differs from machine to machine, or nothing here.
			if !ok || want == "" || strings.HasPrefix(args, "bench") || strings.Contains(args, "mistake.star") {
				continue
			}
			out, errs, _ := cli(t, "", words(args)...)
			if anyEngine(out+errs) != anyEngine(want) {
				t.Errorf("%s prints\n%s%s\nand the README says\n%s", line, out, errs, want)
			}
			checked++
		}
	}
	if checked < 5 {
		t.Errorf("only %d commands were found", checked)
	}
}

// anyEngine returns what was printed without the line that says which engine this
// program takes.
func anyEngine(text string) string {
	return strings.TrimSpace(regexp.MustCompile(`(?m)^engine .*$`).ReplaceAllString(text, "engine"))
}

// words splits a command line as a shell does, as far as the README needs it.
func words(line string) (args []string) {
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		args = append(args, strings.Trim(w, "'"))
	}
	return args
}
