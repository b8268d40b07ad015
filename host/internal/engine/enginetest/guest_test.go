package enginetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuest rebuilds Guest.
func TestGuest(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), "wabt") {
			t.Fatal("wat2wasm is not there, and ENTANGLE_REQUIRE has wabt")
		}
		t.Skip("wat2wasm is not there; it is in the package wabt of most systems")
	}
	built := filepath.Join(t.TempDir(), "guest.wasm")
	if out, err := exec.Command(tool, "--debug-names", "--enable-tail-call", "--enable-threads", "testdata/guest.wat", "-o", built).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Guest, want) {
		t.Error("testdata/guest.wasm is not what wat2wasm --debug-names --enable-tail-call --enable-threads makes of guest.wat")
	}
}
