package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"tapedeck/call"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// Sidecar reads the sidecar of a recording in the folder of a day. It refuses one
// that belongs to another recording.
func Sidecar(d recording.Dir, day recording.Day, id string) (recording.Sidecar, error) {
	s, err := recording.ReadSidecar(day.SidecarPath(id))
	if err != nil {
		return s, err
	}
	if path, err := s.Path(d); err != nil || path != day.SoundPath(id) {
		return s, fmt.Errorf("%s is of %s of %s", day.SidecarPath(id), s.ID(), s.Organisation)
	}
	return s, nil
}

// Entries yields the entry in the index of every sidecar below d. A sidecar that
// cannot be read is reported and left out. The last error is that of a folder that
// cannot be read.
func Entries(ctx context.Context, d recording.Dir, unreadable func(error)) iter.Seq2[index.Recording, error] {
	return func(yield func(index.Recording, error) bool) {
		stopped := errors.New("the reader stopped")
		err := recording.Walk(ctx, d, func(day recording.Day) error {
			for _, f := range day.Recordings {
				if !f.Sidecar {
					continue
				}
				s, err := Sidecar(d, day, f.ID)
				switch {
				case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
				case err != nil:
					unreadable(err)
				case !yield(call.Index(d, s, nil), nil):
					return stopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(index.Recording{}, err)
		}
	}
}
