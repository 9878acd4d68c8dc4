package recording

import (
	"fmt"
	"os"
	"time"
)

// LastWrite is when a file was written last. It may block as long as the disk
// does.
func (a *Archive) LastWrite(path string) (time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("recording: last write: %w", err)
	}
	return info.ModTime(), nil
}
