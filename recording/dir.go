// Package recording is the files of recordings: where they are, what is known of
// them (a sidecar beside each), whether the audio agrees with it, and how long
// they are kept.
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

// Dir is the folder below which every recording lies. NewDir makes one; the
// zero Dir has no paths.
type Dir struct{ root string }

// NewDir checks the folder's name; whether it exists is FreeSWITCH's matter,
// which creates what is missing. The name is absolute, and plain enough that
// FreeSWITCH takes a path below it as one argument, whole: on the way it would
// split at spaces and commas, expand ${…}, take {…} for variables and quotes
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

// String is the folder's name, without a slash at its end.
func (d Dir) String() string { return d.root }

// Path is where a call's recording lies:
// <dir>/<organisation>/<yyyy>/<mm>/<dd>/<call>.wav, by the day in UTC on which
// it started. Nothing in it comes from a caller: organisation is an id of the
// policy, call a UUID, and anything else is refused.
func (d Dir) Path(organisation string, started time.Time, call string) (string, error) {
	if d.root == "" {
		return "", errors.New("recording: path: there is no directory")
	}
	if !isOrganisation(organisation) {
		return "", fmt.Errorf("recording: path: organisation %.80q is no id of 1 to %d of a-z, 0-9 and -", organisation, maxToken)
	}
	if !isCall(call) {
		return "", fmt.Errorf("recording: path: call %.80q is no id of 1 to %d letters, digits and -", call, maxToken)
	}
	started = started.UTC()
	if year := started.Year(); started.IsZero() || year < 1 || year > 9999 {
		return "", fmt.Errorf("recording: path: call %s has no date that a path could have: %s", call, started)
	}
	return filepath.Join(d.root, organisation, started.Format("2006/01/02"), call+".wav"), nil
}

// only reports whether a token is of the alphabet and neither empty nor too long.
func only(alphabet, token string) bool {
	return token != "" && len(token) <= maxToken && strings.Trim(token, alphabet) == ""
}
