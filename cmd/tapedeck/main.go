// Tapedeck decides, for every call on a FreeSWITCH, whether it is recorded.
// This command reads the command line and calls what does the work;
// docs/design.md, section 7, is its contract.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"tapedeck/cmd/words"
	"tapedeck/internal/strictyaml"
	"tapedeck/review"
)

// Exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], environment{os.Stdin, os.Stdout, os.Stderr, become, true}))
}

// environment is what the commands have from the process.
type environment struct {
	stdin          *os.File
	stdout, stderr io.Writer
	become         func(uid, gid int) error // changes the user of the process; nil: it stays who it is, as in tests that share a process
	workers        bool                     // serve starts this program once more as its workers; false in tests, whose program is another
}

// run carries out a command line and returns its exit code.
func run(ctx context.Context, args []string, env environment) int {
	words := 1
	if len(args) > 0 && len(subcommands(args[0])) > 0 {
		words = 2
	}
	switch {
	case len(args) > 0 && (args[0] == "--version" || args[0] == "-version"):
		return exitCode("version", version(ctx, args[1:], env), env.stderr)
	case len(args) > 0 && isHelp(args[0]), len(args) > 1 && words == 2 && isHelp(args[1]):
		fmt.Fprint(env.stdout, usage)
		return exitDone
	case len(args) == 0:
		fmt.Fprint(env.stderr, usage)
		return exitUsage
	case len(args) < words:
		fmt.Fprintf(env.stderr, "tapedeck %s: say %s: `tapedeck help` says what each does\n", args[0], either(subcommands(args[0])))
		return exitUsage
	}
	name := strings.Join(args[:words], " ")
	do, ok := commands[name]
	if !ok {
		fmt.Fprintf(env.stderr, "tapedeck: unknown command %q: `tapedeck help` lists them\n", name)
		return exitUsage
	}
	return exitCode(name, do(ctx, args[words:], env), env.stderr)
}

// subcommands returns the words that may follow a command; none if it stands alone.
func subcommands(word string) (all []string) {
	for name := range commands {
		if rest, ok := strings.CutPrefix(name, word+" "); ok {
			all = append(all, rest)
		}
	}
	slices.Sort(all)
	return all
}

// either is "a, b or c".
func either(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func isHelp(arg string) bool {
	return arg == "help" || arg == "-h" || arg == "-help" || arg == "--help"
}

// exitCode returns the exit code for the error of a command, and prints the error in one
// line. The mistakes of a file are printed before it, each in a line of its own.
func exitCode(name string, err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if report, ok := errors.AsType[*strictyaml.Report](err); ok {
		fmt.Fprintf(stderr, "%v\ntapedeck %s: refused: %s to mend\n", report, name, words.Count(len(report.Mistakes), "mistake"))
		return exitFailed
	}
	line := strings.ReplaceAll(err.Error(), "\n", "; ")
	_, misused := errors.AsType[usageError](err)
	_, wrong := errors.AsType[review.WrongQuestion](err)
	if misused || wrong {
		fmt.Fprintf(stderr, "tapedeck %s: %s (`tapedeck %s --help` lists the flags)\n", name, line, name)
		return exitUsage
	}
	fmt.Fprintf(stderr, "tapedeck %s: %s\n", name, line)
	return exitFailed
}

// version prints what this program was built from.
func version(_ context.Context, args []string, env environment) error {
	if _, err := parse(flag.NewFlagSet("version", flag.ContinueOnError), args, env.stdout, 0, ""); err != nil {
		return err
	}
	release, revision, goVersion := "unknown", "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		release, goVersion = info.Main.Version, info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	fmt.Fprintf(env.stdout, "tapedeck %s%s %s\n", release, revision, goVersion)
	return nil
}
