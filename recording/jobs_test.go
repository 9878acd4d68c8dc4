package recording

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArchive(ArchiveConfig{Dir: dirOf(t, "/nowhere-that-is"), Log: quiet()})
		j := &job{id: call}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			if a.jobs.retry(j, 0); j.delay != want*time.Second {
				t.Errorf("delay %v, want %v s", j.delay, want)
			}
		}
	})
}
