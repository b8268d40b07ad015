package main

import (
	"github.com/spf13/cobra"
)

func rootCommand(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "entangle",
		Short: "Run tasks in any language, compiled to WebAssembly, as one parallel program",
		Long: `Entangle runs tasks written in any language, compiled to WebAssembly, as one
parallel program: each call in an isolated instance, on threads bound to CPUs.

Results go to standard output, everything else to standard error.
Exit status: 0 done; 1 the task failed; 2 wrong usage or a bad module;
3 refused by a grant; 124 timed out; 130 interrupted.`,
		Example: `  entangle run tasks/math.wasm:add 1 2
  entangle run examples/quickstart.star
  entangle eval -m tasks/math.wasm 'add(mult(one(), two()), three())'
  entangle inspect tasks/math.wasm`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{err, cmd.CommandPath()}
	})
	root.AddCommand(runCommand(s), evalCommand(s), inspectCommand(s), cacheCommand(s), doctorCommand(s), benchCommand(s), versionCommand(s))
	wrapArgs(root)
	return root
}

// wrapArgs makes what a command says of its arguments a usage error.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		wrapArgs(c)
	}
}
