package recording

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/internal/durable"
)

// Day is one folder: what an organisation recorded on one day.
type Day struct {
	Path         string
	Organisation string
	Date         time.Time // in UTC, at midnight
	Recordings   []Found   // by id
	Leftovers    []string  // names of files that interrupted writes left behind
	Strays       []string  // names of other files, which do not belong here
}

// Found says which files of a recording exist.
type Found struct {
	ID             string
	Call           string
	Part           int // from 1
	Sound, Sidecar bool
	Derived        []string // names of the files that were made of the sound
	Live           bool     // the recording has a draft
}

// SoundPath returns where the sound of a recording is, or would be.
func (d Day) SoundPath(id string) string { return filepath.Join(d.Path, id+soundExt) }

// SidecarPath returns where the sidecar of a recording is, or would be.
func (d Day) SidecarPath(id string) string { return filepath.Join(d.Path, id+sidecarExt) }

// Walk calls do for each folder of recordings, by organisation and then by day. It
// has one folder in memory at a time. It may or may not see folders and files that
// come or go meanwhile. It walks on where it cannot read something, and returns that
// error at the end; an error of do ends it at once.
func Walk(ctx context.Context, d Dir, do func(Day) error) error {
	organisations, err := d.organisations()
	if err != nil {
		return fmt.Errorf("recording: walk: %w", err)
	}
	var unread []error
	for _, organisation := range organisations {
		days, err := d.days(organisation)
		unread = append(unread, err)
		for _, date := range days {
			if err := ctx.Err(); err != nil {
				return err
			}
			day, err := d.readDay(organisation, date)
			if err != nil {
				unread = append(unread, err)
				continue
			}
			if err := do(day); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(unread...); err != nil {
		return fmt.Errorf("recording: walk: %w", err)
	}
	return nil
}

// folders returns the names of the folders in a folder that are accepted, in order;
// none if the folder is gone. A link is no folder, and an error.
func folders(path string, accept func(string) bool) ([]string, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []string
	for _, e := range entries {
		switch {
		case !accept(e.Name()):
		case e.IsDir():
			found = append(found, e.Name())
		case e.Type()&fs.ModeSymlink != 0:
			err = errors.Join(err, &fs.PathError{Op: "walk", Path: filepath.Join(path, e.Name()), Err: durable.ErrLink})
		}
	}
	return found, err
}

// organisations returns those that have a folder, in order.
func (d Dir) organisations() ([]string, error) {
	if _, err := os.Stat(d.root); err != nil {
		return nil, err
	}
	return folders(d.root, isOrganisation)
}

// months returns the months, in UTC, for which an organisation has a folder, in order.
func (d Dir) months(organisation string) (months []time.Time, err error) {
	top := filepath.Join(d.root, organisation)
	years, err := folders(top, digitsOf(4))
	errs := []error{err}
	for _, year := range years {
		names, err := folders(filepath.Join(top, year), digitsOf(2))
		errs = append(errs, err)
		for _, name := range names {
			if month, err := time.Parse("2006/01", year+"/"+name); err == nil {
				months = append(months, month)
			}
		}
	}
	return months, errors.Join(errs...)
}

// days returns the days on which an organisation has a folder, in order.
func (d Dir) days(organisation string) (days []time.Time, err error) {
	months, err := d.months(organisation)
	errs := []error{err}
	for _, month := range months {
		names, err := folders(d.monthPath(organisation, month), digitsOf(2))
		errs = append(errs, err)
		for _, name := range names {
			if day, err := time.Parse("2006/01/02", month.Format("2006/01/")+name); err == nil {
				days = append(days, day)
			}
		}
	}
	return days, errors.Join(errs...)
}

// digitsOf returns a function that accepts names of n digits.
func digitsOf(n int) func(string) bool {
	return func(name string) bool { return len(name) == n && only(digits, name) }
}

func (d Dir) monthPath(organisation string, date time.Time) string {
	return filepath.Join(d.root, organisation, date.Format("2006/01"))
}

func (d Dir) dayPath(organisation string, date time.Time) string {
	return filepath.Join(d.root, organisation, date.Format("2006/01/02"))
}

func (d Dir) readDay(organisation string, date time.Time) (Day, error) {
	day := Day{Path: d.dayPath(organisation, date), Organisation: organisation, Date: date}
	files, err := os.ReadDir(day.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return day, err
	}
	byID := map[string]*Found{}
	for _, file := range files {
		day.add(file, byID)
	}
	for _, f := range byID {
		f.Live = d.hasDraft(f.ID)
		day.Recordings = append(day.Recordings, *f)
	}
	slices.SortFunc(day.Recordings, func(a, b Found) int { return cmp.Or(strings.Compare(a.Call, b.Call), a.Part-b.Part) })
	return day, nil
}

// add adds a file to its recording, or to the leftovers or strays.
func (d *Day) add(file fs.DirEntry, byID map[string]*Found) {
	name := file.Name()
	ext := filepath.Ext(name)
	call, part, err := ParseID(strings.TrimSuffix(name, ext))
	switch {
	case durable.IsTemp(name):
		d.Leftovers = append(d.Leftovers, name)
		return
	case err != nil || !slices.Contains(ownExts, ext) || file.IsDir():
		d.Strays = append(d.Strays, name)
		return
	}
	id := ID(call, part)
	f := byID[id]
	if f == nil {
		f = &Found{ID: id, Call: call, Part: part}
		byID[id] = f
	}
	switch ext {
	case soundExt:
		f.Sound = true
	case sidecarExt:
		f.Sidecar = true
	default:
		f.Derived = append(f.Derived, name)
	}
}

// Find returns the path of the sound of a recording whose sound or sidecar exists.
// It looks into every folder, the youngest day first. The error is fs.ErrNotExist if
// there is no such recording.
func Find(ctx context.Context, d Dir, id string) (string, error) {
	if _, _, err := ParseID(id); err != nil {
		return "", fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	type place struct {
		organisation string
		date         time.Time
	}
	var places []place
	organisations, err := d.organisations()
	for _, organisation := range organisations {
		days, _ := d.days(organisation)
		for _, date := range days {
			places = append(places, place{organisation, date})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return b.date.Compare(a.date) })
	for _, p := range places {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		sound := filepath.Join(d.dayPath(p.organisation, p.date), id+soundExt)
		if exists(sound) || exists(SidecarPath(sound)) {
			return sound, nil
		}
	}
	return "", fmt.Errorf("recording: find %s: %w", id, cmp.Or(err, fs.ErrNotExist))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
