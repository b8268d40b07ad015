package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host"
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
			about := []string{abi.ImportModule, fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)}
			for _, e := range host.Engines() {
				if e.Missing == "" {
					about = append(about, e.Name+" "+e.Version)
				}
			}
			_, err := fmt.Fprintf(s.out, "entangle %s (%s)\n", version, strings.Join(about, ", "))
			return err
		},
	}
}
