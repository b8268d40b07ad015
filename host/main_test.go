package host_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"entangle.example/entangle/host"
)

// testEngine is the engine that the tests run with.
var testEngine string

// config returns the zero configuration, but for the engine.
func config() host.Config { return host.Config{}.WithEngine(testEngine) }

// TestMain runs all tests once for each engine that this program has.
func TestMain(m *testing.M) {
	flag.Parse()
	code := 0
	only := os.Getenv("ENTANGLE_TEST_ENGINE") // of a test that starts processes
	for _, e := range host.Engines() {
		if only != "" && only != e.Name {
			continue
		}
		if e.Missing != "" {
			fmt.Printf("without %s: %s\n", e.Name, e.Missing)
			continue
		}
		testEngine = e.Name
		fmt.Printf("with %s\n", e.Name)
		code = max(code, m.Run())
		if flag.Lookup("test.fuzz").Value.String() != "" {
			break // what it runs has its own processes, which call TestMain too
		}
	}
	os.Exit(code)
}
