package lab

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Markers watches the marker files of the record keys for sound. Tapedeck removes a
// marker while FreeSWITCH writes it, so they are read through FreeSWITCH's open files,
// too.
type Markers struct {
	dir     string
	open    string // folder of FreeSWITCH's open files
	stop    chan struct{}
	running sync.WaitGroup
	seen    map[string]time.Duration // by path: how much sound there was
	longest time.Duration            // the length of the longest, sound or silence
}

// loud is the amplitude from which a sample counts as sound. Silence in G.711 is not
// always zero.
const loud = 64

// WatchMarkers reads the markers until Stop: every 20 ms those that have a name, every
// 200 ms those that the switch still writes.
func (s *Switch) WatchMarkers(recordings string) *Markers {
	m := &Markers{dir: filepath.Join(recordings, ".keys"), open: fmt.Sprintf("/proc/%d/fd", s.process.PID()),
		stop: make(chan struct{}), seen: map[string]time.Duration{}}
	m.running.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			m.look()
			if i%10 == 0 {
				m.lookOpen()
			}
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
		m.read(path, path)
	}
}

// lookOpen reads the markers that FreeSWITCH has open, whether or not they have a name.
func (m *Markers) lookOpen() {
	entries, _ := os.ReadDir(m.open)
	for _, e := range entries {
		link := filepath.Join(m.open, e.Name())
		if path, err := os.Readlink(link); err == nil && strings.HasPrefix(path, m.dir+"/") {
			m.read(link, strings.TrimSuffix(path, " (deleted)"))
		}
	}
}

// read reads a marker's file at one path; another one is its name.
func (m *Markers) read(at, name string) {
	data, err := os.ReadFile(at)
	if err != nil { // it was deleted meanwhile
		return
	}
	m.longest = max(m.longest, time.Duration(max(0, len(data)-44)/2)*time.Second/8000)
	n := 0
	for at := 44; at+2 <= len(data); at += 2 { // after the header, whose sizes FreeSWITCH writes at the end
		if v := int16(binary.LittleEndian.Uint16(data[at:])); v > loud || v < -loud {
			n++
		}
	}
	m.seen[name] = max(m.seen[name], time.Duration(n)*time.Second/8000)
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
