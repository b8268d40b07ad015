package wasi

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain runs all tests once for each way in which this system keeps paths beneath a
// directory, so that the two cannot differ.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if fuzzing := flag.Lookup("test.fuzz").Value.String() != ""; !fuzzing && withoutOpenat2() {
		fmt.Println("without openat2")
		code = max(code, m.Run())
	}
	os.Exit(code)
}
