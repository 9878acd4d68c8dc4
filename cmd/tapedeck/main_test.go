package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outcome is the exit code of a command line, and what it printed.
type outcome struct {
	code           int
	stdout, stderr string
}

// tapedeck runs a command line in this process.
func tapedeck(args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// want fails unless it ended with the code and printed each of the texts.
func (o outcome) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, p := range []struct{ name, got, want string }{{"stdout", o.stdout, stdout}, {"stderr", o.stderr, stderr}} {
		if p.want == "" && p.got != "" || !strings.Contains(p.got, p.want) {
			t.Errorf("%s is %q, want %q in it", p.name, p.got, p.want)
		}
	}
}

// write makes a file in a new folder and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}, {"policy", "help"}, {"policy", "--help"}} {
		o := tapedeck(args...)
		o.want(t, exitDone, usage, "")
	}
	tapedeck().want(t, exitUsage, "", usage)
	for name := range commands {
		words := strings.Fields(name)
		if !strings.Contains(usage, "tapedeck "+name) {
			t.Errorf("the usage does not name %s", name)
		}
		tapedeck(append(words, "--help")...).want(t, exitDone, "tapedeck "+name, "")
	}
}

func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		line string
		says string
	}{
		{"record", "unknown command \"record\": `tapedeck help` lists them"},
		{"policy", "tapedeck policy: say apply, check or explain: "},
		{"token", "tapedeck token: say add, ls or rm: "},
		{"policy mend", "unknown command \"policy mend\""},
		{"version now", `unexpected argument "now"`},
		{"serve --port 1", "`tapedeck serve --help` lists the flags"},
		{"serve file.yaml", `unexpected argument "file.yaml"`},
		{"serve --config", "flag needs an argument"},
		{"demo twice", `unexpected argument "twice"`},
		{"simulate --calls many", "invalid value"},
		{"simulate --calls 0", "at least 1"},
		{"simulate --concurrency 0", "at least 1"},
		{"simulate --rate -1", "at least 0"},
		{"simulate --target 8084", "--target"},
		{"policy check", "name the policy's FILE or DIR"},
		{"policy check a b", `unexpected argument "b"`},
		{"policy apply", "name the policy's FILE or DIR"},
		{"policy explain", "name the policy's FILE or DIR"},
		{"policy explain a.yaml", "use inbound, outbound or internal"},
		{"policy explain a.yaml --direction up", "use inbound, outbound or internal"},
	} {
		o := tapedeck(strings.Fields(c.line)...)
		o.want(t, exitUsage, "", c.says)
		if strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: %q is not one line", c.line, o.stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	tapedeck("version").want(t, exitDone, "tapedeck ", "")
	tapedeck("--version").want(t, exitDone, "tapedeck ", "")
}

func TestErrorIsOneLine(t *testing.T) {
	var stderr bytes.Buffer
	if code := exitCode("demo", errors.Join(errors.New("one"), errors.New("two")), &stderr); code != exitFailed || stderr.String() != "tapedeck demo: one; two\n" {
		t.Errorf("%d, %q", code, &stderr)
	}
}
