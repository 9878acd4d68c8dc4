package recording

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	partMark = ".part"
	maxPart  = 9999

	soundExt   = ".wav"
	sidecarExt = ".json"
)

// derivedExts are the extensions of files that can be made again from the sound.
var derivedExts = []string{".mp3", ".svg"}

var ownExts = append([]string{soundExt, sidecarExt}, derivedExts...)

// ID returns the id of a recording, which is also the name of its files without
// their extension: the call's id for the first part, "<call>.part2" and so on for
// further parts. It does not check that the call's id may stand in a path; ParseID
// does.
func ID(call string, part int) string {
	if part <= 1 {
		return call
	}
	return call + partMark + strconv.Itoa(part)
}

// ParseID returns the call and the part of a recording's id. It refuses ids that ID
// would not return, so an id that it accepts may stand in a path.
func ParseID(id string) (call string, part int, err error) {
	call, number, further := strings.Cut(id, partMark)
	part = 1
	if further {
		part, err = strconv.Atoi(number)
	}
	if err != nil || !isCall(call) || part < 1 || part > maxPart || ID(call, part) != id {
		return "", 0, fmt.Errorf("recording: id %.80q: it is neither a call's nor that of a part of one", id)
	}
	return call, part, nil
}

// PartPath is Path for any part of the call; 0 and 1 are the first.
func (d Dir) PartPath(organisation string, started time.Time, call string, part int) (string, error) {
	path, err := d.Path(organisation, started, call)
	if err != nil {
		return "", err
	}
	if part < 0 || part > maxPart {
		return "", fmt.Errorf("recording: path: call %s has no part %d: use 1 to %d", call, part, maxPart)
	}
	return filepath.Join(filepath.Dir(path), ID(call, part)+soundExt), nil
}

// Taken reports whether a recording has this path for its sound: the sound or its
// sidecar exists. It reports false where it cannot look.
func Taken(path string) bool {
	for _, name := range []string{path, SidecarPath(path)} {
		if _, err := os.Lstat(name); err == nil {
			return true
		}
	}
	return false
}

// Place is what the path of a recording's file says.
type Place struct {
	Organisation string
	Day          time.Time // in UTC, at midnight
	Call         string
	Part         int // from 1
}

// ID returns the recording's id.
func (p Place) ID() string { return ID(p.Call, p.Part) }

// Parse takes apart the path of a recording's sound, of its sidecar, or of what was
// made of the sound. It refuses a path that this package would not have made.
func (d Dir) Parse(path string) (Place, error) {
	bad := func() (Place, error) {
		return Place{}, fmt.Errorf("recording: path %.200q: it is not of the form %s/<organisation>/<yyyy>/<mm>/<dd>/<call>.wav", path, d.root)
	}
	within, err := filepath.Rel(d.root, path)
	words := strings.Split(within, "/")
	if d.root == "" || err != nil || filepath.Clean(path) != path || len(words) != 5 || !isOrganisation(words[0]) {
		return bad()
	}
	day, err := time.Parse("2006/01/02", strings.Join(words[1:4], "/"))
	if err != nil || day.Year() < 1 {
		return bad()
	}
	ext := filepath.Ext(words[4])
	call, part, err := ParseID(strings.TrimSuffix(words[4], ext))
	if err != nil || !slices.Contains(ownExts, ext) {
		return bad()
	}
	return Place{words[0], day, call, part}, nil
}

// SidecarPath returns where the sidecar of a recording lies, from the path of any of
// its files.
func SidecarPath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + sidecarExt
}

func isOrganisation(token string) bool { return only(lower+digits+"-", token) }

func isCall(token string) bool { return only(lower+upper+digits+"-", token) }
