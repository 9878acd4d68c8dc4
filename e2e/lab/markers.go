package lab

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Markers watches the folder of the record keys' markers, which FreeSWITCH
// deletes when they end, for sound in them while they are there.
type Markers struct {
	dir     string
	stop    chan struct{}
	running sync.WaitGroup
	seen    map[string]time.Duration // by path, how much sound there was
	longest time.Duration            // that one of them was, sound or silence
}

// loud is the sample from which a marker counts as sound; silence in G.711 is
// not always zero.
const loud = 64

// WatchMarkers looks every 20 ms until Stop.
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
		if err != nil { // gone meanwhile
			continue
		}
		m.longest = max(m.longest, time.Duration(max(0, len(data)-44)/2)*time.Second/8000)
		n := 0
		for at := 44; at+2 <= len(data); at += 2 { // behind the header, whose sizes are written at the end
			if v := int16(binary.LittleEndian.Uint16(data[at:])); v > loud || v < -loud {
				n++
			}
		}
		m.seen[path] = max(m.seen[path], time.Duration(n)*time.Second/8000)
	}
}

// Stop ends the watch and returns how many markers there were, how long the
// longest was, the most sound that was in one, and those that are left.
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
