package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"entangle.example/entangle/host"
)

// aboutKinds says what the kinds of host.CacheKinds are.
var aboutKinds = [...]string{
	"modules compiled by wasmtime",
	"modules compiled by wazero",
	"what large modules are, so that they need not be read",
	"states of modules that were slow to initialize",
}

func cacheCommand(s streams) *cobra.Command {
	long := `Show and empty what is kept on disk for later processes:

`
	for k, kind := range host.CacheKinds {
		long += fmt.Sprintf("  %-10s %s\n", kind, aboutKinds[k])
	}
	long += `
Nothing is lost with it: what is missing is made anew. It holds 4 GiB at the most;
what was not used for longest goes first.`
	cmd := &cobra.Command{
		Use:     "cache",
		Short:   "Show and empty what is kept on disk for later processes",
		Long:    long,
		Example: "  entangle cache ls\n  entangle cache clear snapshots",
	}
	cmd.AddCommand(cacheListCommand(s), cacheClearCommand(s))
	return cmd
}

func cacheListCommand(s streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List what there is, by kind, what was used last first",
		Example: "  entangle cache ls\n  entangle cache ls --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, all, err := host.Config{}.CacheEntries()
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(s.out)
				for _, e := range all {
					if err := enc.Encode(e); err != nil {
						return err
					}
				}
				return nil
			}
			w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
			total := int64(0)
			for _, e := range all {
				total += e.Size
				fmt.Fprintf(w, "%s\t%s\t%8s\t%s\n", e.Kind, shortName(e.Name), byteSize(e.Size), e.Used.Local().Format("2006-01-02 15:04"))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%d entries, %s, in %s\n", len(all), byteSize(total), dir)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func cacheClearCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:       "clear [KIND]...",
		Short:     "Remove what there is, of some kinds or all",
		Long:      "Remove what there is, of some kinds or all. Processes that use it at the moment go on.",
		Example:   "  entangle cache clear\n  entangle cache clear snapshots",
		Args:      cobra.OnlyValidArgs,
		ValidArgs: host.CacheKinds[:],
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{""}
			}
			slices.Sort(args)
			removed, size := 0, int64(0)
			for _, kind := range slices.Compact(args) {
				all, err := host.Config{}.ClearCache(kind)
				removed += len(all)
				for _, e := range all {
					size += e.Size
				}
				if err != nil {
					return err
				}
			}
			_, err := fmt.Fprintf(s.out, "removed %d entries, %s\n", removed, byteSize(size))
			return err
		},
	}
}

// shortName returns the beginning of a name that is a hash.
func shortName(name string) string {
	const enough = 16
	if len(name) > enough {
		return name[:enough]
	}
	return name
}

// byteSize returns n bytes for people to read.
func byteSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}
