package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"entangle.example/entangle/abi"
)

// version is set by the linker for releases.
var version = "0.1.0-dev"

func versionCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program, of its ABI and of its engines",
		Example: "  entangle version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(s.out, "entangle %s (%s, %s %s/%s, wazero %s)\n", version, abi.ImportModule,
				runtime.Version(), runtime.GOOS, runtime.GOARCH, dependency("github.com/tetratelabs/wazero"))
			return err
		},
	}
}

// dependency returns the version of a module that this program was built with.
func dependency(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == path {
			return d.Version
		}
	}
	return "unknown"
}
