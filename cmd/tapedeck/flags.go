package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

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

// appendTo returns what a flag that may be repeated does with its value.
func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}
