// Tapedeck decides, for every call on a FreeSWITCH, whether it is recorded.
// This command wires its parts together; docs/design.md, section 7, is its contract.
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

	"tapedeck/cmd/policy"
	"tapedeck/cmd/words"
	"tapedeck/internal/strictyaml"
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
	os.Exit(run(ctx, os.Args[1:], environment{os.Getenv, os.Stdin, os.Stdout, os.Stderr}))
}

const usage = `tapedeck records the calls of a FreeSWITCH by policy.

  tapedeck serve   [--config FILE]               run it
  tapedeck demo    [--once] [--dir DIR]          see it work: no FreeSWITCH and no Redis needed
  tapedeck simulate [--target HOST:PORT] [--calls N] [--rate R] [--concurrency C]
                                                 play a FreeSWITCH to a running tapedeck
  tapedeck policy check FILE|DIR                 read a policy, report every mistake
  tapedeck policy explain FILE|DIR --direction inbound|outbound|internal
                  [--number N] [--via KIND/ID ...] [--user U] [--answered-by U]
                  [--toggle U ...] [--organisation ID] [--json]
                                                 say why a call would be recorded, or not
  tapedeck policy apply [--config FILE] FILE|DIR say what changes, put it into Redis
  tapedeck recordings ls [--organisation ID] [--from TIME] [--to TIME] [--number N] [--user U]
                  [--trigger automatic|on-demand] [--problems] [--limit N] [--utc] [--json]
                                                 list recordings, the newest first
  tapedeck recordings show ID [--utc] [--json]   say everything that is known of one
  tapedeck recordings verify [ID]                read files and sidecars anew, report what does not agree
  tapedeck recordings reindex                    make Redis' index anew from the sidecars
  tapedeck recordings purge [--dry-run]          delete what is older than its organisation's retention
  tapedeck recordings hold ID --reason TEXT [--by NAME]
                                                 keep one from being deleted
  tapedeck recordings release ID [--by NAME]     end that
  tapedeck account add NAME --role operator|brand|organisation|user [--brand B] [--organisation ID]
                  [--user U] [--group G ...] [--right R ...] [--password-stdin|--no-password] [--replace]
                                                 let somebody use the console and the API
  tapedeck account ls                            list accounts
  tapedeck account password NAME [--password-stdin]
                                                 give one another password
  tapedeck account rm NAME                       remove one, and its tokens
  tapedeck token add ACCOUNT [--name TEXT] [--expires DURATION|never]
                                                 make a bearer token for the API, print its secret
  tapedeck token ls [ACCOUNT]                    list tokens
  tapedeck token rm ID                           revoke one
                                                 (recordings, account and token: [--config FILE])
  tapedeck version

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

// environment is what the commands have from the process.
type environment struct {
	get            func(variable string) string // os.Getenv
	stdin          *os.File
	stdout, stderr io.Writer
}

// command carries out one command of the command line; args are the words after its name.
type command func(ctx context.Context, args []string, env environment) error

var commands = map[string]command{
	"serve":          serve,
	"demo":           runDemo,
	"simulate":       runSimulate,
	"policy check":   policyCheck,
	"policy explain": policyExplain,
	"policy apply":   policyApply,

	"recordings ls":      recordingsList,
	"recordings show":    recordingsShow,
	"recordings verify":  recordingsVerify,
	"recordings reindex": recordingsReindex,
	"recordings purge":   recordingsPurge,
	"recordings hold":    recordingsHold,
	"recordings release": recordingsRelease,

	"account add":      accountAdd,
	"account ls":       accountList,
	"account password": accountPassword,
	"account rm":       accountRemove,
	"token add":        tokenAdd,
	"token ls":         tokenList,
	"token rm":         tokenRemove,

	"version": version,
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
	_, wrong := errors.AsType[policy.WrongQuestion](err)
	if misused || wrong {
		fmt.Fprintf(stderr, "tapedeck %s: %s (`tapedeck %s --help` lists the flags)\n", name, line, name)
		return exitUsage
	}
	fmt.Fprintf(stderr, "tapedeck %s: %s\n", name, line)
	return exitFailed
}

// usageError is the error of a wrong command line.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// parse reads flags, which may stand before and after the other arguments, and returns
// those. There have to be exactly n; what names them in errors and in the help.
func parse(fs *flag.FlagSet, args []string, stdout io.Writer, n int, what string) ([]string, error) {
	return parseSome(fs, args, stdout, n, n, what)
}

// parseSome is parse with least to most other arguments.
func parseSome(fs *flag.FlagSet, args []string, stdout io.Writer, least, most int, what string) ([]string, error) {
	fs.SetOutput(io.Discard)
	var rest []string
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stdout, "tapedeck %s%s\n", fs.Name(), map[bool]string{true: ": name " + what}[most > 0])
			fs.SetOutput(stdout)
			fs.PrintDefaults()
			return nil, err
		} else if err != nil {
			return nil, usagef("%v", err)
		}
		if fs.NArg() == 0 {
			break
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
	switch {
	case len(rest) < least:
		return nil, usagef("name %s", what)
	case len(rest) > most:
		return nil, usagef("unexpected argument %q", rest[most])
	}
	return rest, nil
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
