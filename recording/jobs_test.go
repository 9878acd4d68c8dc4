package recording

import (
	"testing"
	"testing/synctest"
)

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArchive(ArchiveConfig{Dir: dirOf(t, "/nowhere-that-is"), Log: quiet()})
		for _, tc := range []struct {
			finish *Sidecar
			want   []float64 // seconds
		}{
			{&Sidecar{}, []float64{1, 2, 4, 8, 16, 30, 30}},
			{nil, []float64{0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30}},
		} {
			j := &job{id: call, finish: tc.finish}
			for _, want := range tc.want {
				if a.jobs.retry(j, 0); j.delay.Seconds() != want {
					t.Errorf("a file to be described: %t: delay %v, want %v s", tc.finish != nil, j.delay, want)
				}
			}
		}
	})
}
