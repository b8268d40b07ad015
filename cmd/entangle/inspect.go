package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"entangle.example/entangle/host"
)

func inspectCommand(s streams) *cobra.Command {
	var asJSON bool
	var engine string
	cmd := &cobra.Command{
		Use:   "inspect FILE.wasm",
		Short: "Show a module's tasks, imports, memory and what it wants to be granted",
		Example: `  entangle inspect tasks/math.wasm
  entangle inspect --json tasks/text.wasm`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f := &flags{cpus: 1, engine: engine, memory: "256MiB", progress: "none", logLevel: "info"}
			ses, err := f.open(cmd, s)
			if err != nil {
				return err
			}
			return ses.end(ses.inspect(args[0], asJSON))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&engine, "engine", "auto", "compile it with `ENGINE`: auto, wasmtime or wazero")
	return cmd
}

func (s *session) inspect(file string, asJSON bool) error {
	m, err := s.host.Load(s.ctx, file)
	if err != nil {
		return err
	}
	info := m.Info()
	if asJSON {
		b, err := json.Marshal(info)
		if err != nil {
			return err
		}
		_, err = s.streams.out.Write(append(b, '\n'))
		return err
	}
	return printInfo(s.streams.out, info)
}

func printInfo(out io.Writer, info host.Info) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(w, "%s\t%s\n", name, value) }
	row("module", printable(info.Name))
	if info.Doc != "" {
		row("", printable(info.Doc))
	}
	row("sha256", info.SHA256)
	row("size", fmt.Sprintf("%d bytes", info.Size))
	if info.Producers != "" {
		row("made by", printable(info.Producers))
	}
	row("memory", memoryRange(info.Memory))
	row("imports", list(info.Imports))
	row("wants", list(info.Grants))
	row("engine", info.Engine+autoText(info.Engine))
	row("calls", info.Reset)
	if err := w.Flush(); err != nil {
		return err
	}
	plural := "s"
	if len(info.Tasks) == 1 {
		plural = ""
	}
	fmt.Fprintf(out, "\n%d task%s:\n", len(info.Tasks), plural)
	w = tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, t := range info.Tasks {
		kind := t.Kind
		if t.Pure {
			kind += ", pure"
		}
		fmt.Fprintf(w, "  %s%s\t%s\t%s\n", t.Name, t.Signature, kind, printable(t.Doc))
	}
	return w.Flush()
}

// autoText says why auto takes an engine.
func autoText(name string) string {
	for _, e := range host.Engines() {
		if e.Name == name && e.Auto {
			return " (auto takes it: " + e.Why + ")"
		}
	}
	return ""
}

func memoryRange(m host.MemoryInfo) string {
	if m.Max == 0 {
		return "none"
	}
	return fmt.Sprintf("%s, at most %s", bytesText(m.Min), bytesText(m.Max))
}

// bytesText returns a number of bytes as people write it.
func bytesText(n uint64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

func list(items []string) string {
	if len(items) == 0 {
		return "nothing"
	}
	return printable(strings.Join(items, ", "))
}
