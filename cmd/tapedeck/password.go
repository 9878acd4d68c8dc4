package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"tapedeck/console/access"
)

// maxPasswordInput is how many bytes of standard input are read.
const maxPasswordInput = 4096

// newPassword reads a new password, from a pipe or a terminal, and returns its hash as the
// accounts file has it.
func newPassword(account string, fromStdin bool, env environment) (hash string, err error) {
	var password string
	if fromStdin {
		password, err = pipedPassword(env.stdin)
	} else {
		password, err = typedPassword(env.stdin, account, env.stderr)
	}
	if err != nil {
		return "", err
	}
	if err := access.CheckPassword(account, password); err != nil {
		return "", err
	}
	return access.HashPassword(password), nil
}

// pipedPassword reads a password to the end of in. The line end after it is no part of it.
func pipedPassword(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxPasswordInput))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// typedPassword asks for a password twice. The terminal does not show what is typed; after
// Ctrl-C it does so again.
func typedPassword(tty *os.File, account string, stderr io.Writer) (string, error) {
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", usagef("there is no terminal to type the password at: pipe it in, with --password-stdin")
	}
	given := make(chan os.Signal, 1)
	signal.Notify(given, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(given)
	type typed struct {
		text string
		err  error
	}
	ended := make(chan typed, 1)
	go func() { // a read of a terminal cannot be cancelled: it ends with the process
		text, err := askTwice(tty, account, stderr)
		ended <- typed{text, err}
	}()
	select {
	case t := <-ended:
		return t.text, t.err
	case <-given:
		_ = term.Restore(int(tty.Fd()), before)
		fmt.Fprintln(stderr)
		return "", errors.New("given up: nothing is changed")
	}
}

func askTwice(tty *os.File, account string, stderr io.Writer) (string, error) {
	var answers [2]string
	for i, question := range []string{"Password of " + account + ": ", "Once more: "} {
		fmt.Fprint(stderr, question)
		text, err := term.ReadPassword(int(tty.Fd()))
		fmt.Fprintln(stderr)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		answers[i] = string(text)
		if err := access.CheckPassword(account, answers[0]); err != nil {
			return "", err
		}
	}
	if answers[0] != answers[1] {
		return "", errors.New("the two passwords are not the same: nothing is changed")
	}
	return answers[0], nil
}
