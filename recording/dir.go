// Package recording keeps the archive of recordings: where their files lie, the
// sidecar beside each, whether the sound agrees with the sidecar, and how long they
// are kept. It knows files and not calls: it imports nothing that talks to
// FreeSWITCH.
package recording

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"

	rootAlphabet = lower + upper + digits + "/_.-+@=~"

	maxRoot  = 1024 // leaves room below PATH_MAX and in FreeSWITCH's command lines
	maxToken = 64
)

// Dir is the folder below which all recordings lie. NewDir returns one; the zero Dir
// has no paths.
type Dir struct{ root string }

// NewDir checks the folder's name, not whether the folder exists. The name must be
// absolute, and so plain that FreeSWITCH takes a path below it as one argument: it
// splits at spaces and commas, expands ${…}, and takes {…} for variables and quotes
// and \ for quoting (switch_channel_expand_variables, switch_separate_string).
func NewDir(root string) (Dir, error) {
	if root == "" {
		return Dir{}, errors.New("recording: directory: it is empty: give an absolute path")
	}
	if !filepath.IsAbs(root) {
		return Dir{}, fmt.Errorf("recording: directory %q: it is not absolute: begin with /", root)
	}
	if len(root) > maxRoot {
		return Dir{}, fmt.Errorf("recording: directory: its name has %d bytes: use at most %d", len(root), maxRoot)
	}
	for _, r := range root {
		if !strings.ContainsRune(rootAlphabet, r) {
			return Dir{}, fmt.Errorf("recording: directory %q: FreeSWITCH would misread %s in it: use letters, digits and / _ . - + @ = ~", root, named(r))
		}
	}
	return Dir{filepath.Clean(root)}, nil
}

func named(r rune) string {
	if r == ' ' {
		return "the space"
	}
	return fmt.Sprintf("%q", r)
}

// String returns the folder's name, without a slash at its end.
func (d Dir) String() string { return d.root }

// Path returns where the sound of a call's first recording lies:
// <dir>/<organisation>/<yyyy>/<mm>/<dd>/<call>.wav, by the day in UTC on which the
// call started. Nothing in it comes from a caller: organisation is an id of the
// policy and call is a UUID; Path refuses anything else.
func (d Dir) Path(organisation string, started time.Time, call string) (string, error) {
	if d.root == "" {
		return "", errors.New("recording: path: there is no directory")
	}
	if !isOrganisation(organisation) {
		return "", fmt.Errorf("recording: path: organisation %.80q is no id of 1 to %d characters a-z, 0-9 and -", organisation, maxToken)
	}
	if !isCall(call) {
		return "", fmt.Errorf("recording: path: call %.80q is no id of 1 to %d letters, digits and -", call, maxToken)
	}
	started = started.UTC()
	if year := started.Year(); started.IsZero() || year < 1 || year > 9999 {
		return "", fmt.Errorf("recording: path: call %s started at a time that a path cannot have: %s", call, started)
	}
	return filepath.Join(d.root, organisation, started.Format("2006/01/02"), call+".wav"), nil
}

// only reports whether a token has only characters of the alphabet, and is neither
// empty nor too long.
func only(alphabet, token string) bool {
	return token != "" && len(token) <= maxToken && strings.Trim(token, alphabet) == ""
}
