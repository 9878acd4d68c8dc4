package lab

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Markers watches the marker files of the record keys for sound. FreeSWITCH deletes
// a marker when its recording ends, so they have to be read before.
type Markers struct {
	dir     string
	stop    chan struct{}
	running sync.WaitGroup
	seen    map[string]time.Duration // by path: how much sound there was
	longest time.Duration            // the length of the longest, sound or silence
}

// loud is the amplitude from which a sample counts as sound. Silence in G.711 is not
// always zero.
const loud = 64

// WatchMarkers reads the markers every 20 ms until Stop.
func WatchMarkers(recordings string) *Markers {
	m := &Markers{dir: filepath.Join(recordings, ".keys"), stop: make(chan struct{}), seen: map[string]time.Duration{}}
	m.running.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			m.look()
			select {
			case <-tick.C:
			case <-m.stop:
				return
			}
		}
	})
	return m
}

func (m *Markers) look() {
	entries, _ := os.ReadDir(m.dir) // none before the first key
	for _, e := range entries {
		path := filepath.Join(m.dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil { // it was deleted meanwhile
			continue
		}
		m.longest = max(m.longest, time.Duration(max(0, len(data)-44)/2)*time.Second/8000)
		n := 0
		for at := 44; at+2 <= len(data); at += 2 { // after the header, whose sizes FreeSWITCH writes at the end
			if v := int16(binary.LittleEndian.Uint16(data[at:])); v > loud || v < -loud {
				n++
			}
		}
		m.seen[path] = max(m.seen[path], time.Duration(n)*time.Second/8000)
	}
}

// Stop ends the watch. It returns how many markers there were, the length of the
// longest, the most sound in one, and the paths of those that still exist.
func (m *Markers) Stop() (seen int, longest, most time.Duration, left []string) {
	close(m.stop)
	m.running.Wait()
	for path, sound := range m.seen {
		most = max(most, sound)
		if _, err := os.Stat(path); err == nil {
			left = append(left, path)
		}
	}
	return len(m.seen), m.longest, most, left
}
