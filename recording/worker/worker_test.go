package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/sound"
)

// TestMain is a worker, if a test has started this program as one. Those that no product
// has misbehave.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "worker" {
		os.Exit(m.Run())
	}
	name := os.Args[len(os.Args)-1]
	switch name {
	case "dies", "hangs":
		conn, err := connOf(os.NewFile(socketNumber, "socket"))
		if err != nil || send(conn, answer{Ready: true}) != nil {
			os.Exit(1)
		}
		if name == "hangs" {
			time.Sleep(time.Hour)
		}
		_, _ = receive(conn, &request{})
		panic("a bug in the worker")
	}
	if err := Main(name, os.Args[2] == "--lowered"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// lab has Workers, whose life ends with the test.
type lab struct {
	*testing.T
	*Workers
	cfg    Config
	failed atomic.Int64
	logged *testkit.Log
}

// newLab has workers of the usual priority: others starve on a busy machine.
func newLab(t *testing.T) *lab {
	l := newLoweredLab(t)
	l.finishing.flags = []string{"--lowered"} // says that they are
	l.mp3.flags = l.finishing.flags
	return l
}

// newLoweredLab has workers as serve starts them.
func newLoweredLab(t *testing.T) *lab {
	testkit.NoLeaks(t)
	l := &lab{T: t, logged: &testkit.Log{}}
	l.cfg = Config{Failed: func(string) { l.failed.Add(1) }, Log: slog.New(slog.NewTextHandler(l.logged, nil))}
	l.Workers = New(l.cfg)
	t.Cleanup(l.Close)
	return l
}

// quiet fails the test if a worker failed.
func (l *lab) quiet() {
	l.Helper()
	if n := l.failed.Load(); n != 0 || l.logged.String() != "" {
		l.Fatalf("%d failed; the log:\n%s", n, l.logged)
	}
}

// file makes a file and opens it.
func (l *lab) file(data []byte) *os.File {
	l.Helper()
	path := filepath.Join(l.TempDir(), "file")
	testkit.WriteFile(l, path, data)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { f.Close() })
	return f
}

// content is what a file has.
func (l *lab) content(f *os.File) string {
	l.Helper()
	data, err := os.ReadFile(f.Name())
	if err != nil {
		l.Fatal(err)
	}
	return string(data)
}

// clip has silences.
func clip(silences int) *testkit.Clip {
	c := testkit.NewClip(1, 8000)
	for range silences {
		c.Add(5, 1000).Add(60, 0)
	}
	return c
}

// TestWorkers: a worker's results and errors are those of this process.
func TestWorkers(t *testing.T) {
	l := newLab(t)
	tags := sound.Tags{Title: "Zoë", Date: time.Date(2026, 3, 9, 17, 0, 0, 0, time.UTC)}
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	for name, in := range map[string]*os.File{
		"a sound":  l.file(clip(maxSilences + 7).WAV()),
		"empty":    l.file(testkit.NewClip(1, 8000).WAV()),
		"no WAV":   l.file([]byte("hello")),
		"a folder": folder,
	} {
		t.Run(name, func(t *testing.T) {
			type result struct {
				analysis sound.Analysis
				err      [3]error
				files    [2]string
			}
			work := func(shop recording.Workshop) (r result) {
				svg, mp3 := l.file(nil), l.file(nil)
				r.analysis, r.err[0] = shop.Analyse(t.Context(), in)
				r.err[1] = shop.Waveform(t.Context(), in, svg)
				r.err[2] = shop.MP3(t.Context(), in, mp3, tags)
				r.files = [2]string{l.content(svg), l.content(mp3)}
				return r
			}
			got, want := work(l), work(recording.InProcess{})
			if !reflect.DeepEqual(got.analysis, want.analysis) || got.files != want.files {
				t.Errorf("%.300s\nwant %.300s", fmt.Sprint(got), fmt.Sprint(want))
			}
			for i, err := range got.err {
				other := want.err[i]
				if (err == nil) != (other == nil) || errors.Is(err, recording.ErrNoSound) != errors.Is(other, recording.ErrNoSound) ||
					errors.Is(err, syscall.EISDIR) != errors.Is(other, syscall.EISDIR) {
					t.Errorf("%d: %v\nwant %v", i, err, other)
				}
			}
		})
	}
	l.quiet()
}

// longWAV is a sound whose MP3 takes some tenths of a second.
func longWAV() []byte { return testkit.NewClip(1, 8000).Add(60_000, 1000).WAV() }

// making begins the MP3 of a sound, and returns when a part of it is written.
func (l *lab) making(ctx context.Context, size int64) (out *os.File, done <-chan error) {
	l.Helper()
	in, ended := l.file(longWAV()), make(chan error, 1)
	out = l.file(nil)
	go func() { ended <- l.MP3(ctx, in, out, sound.Tags{}) }()
	testkit.Until(l, "it is begun", func() bool {
		info, err := out.Stat()
		return err == nil && info.Size() > size || len(ended) > 0
	}, l.logged)
	return out, ended
}

// TestWorkerKilled: a worker that is killed is replaced, and does its job anew.
func TestWorkerKilled(t *testing.T) {
	l := newLab(t)
	out, done := l.making(t.Context(), 1)
	if err := syscall.Kill(pidOf(l, MP3), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	want := l.file(nil)
	if err := (recording.InProcess{}).MP3(t.Context(), l.file(longWAV()), want, sound.Tags{}); err != nil || l.content(out) != l.content(want) {
		t.Errorf("%v: it is not the same file", err)
	}
	if n := l.failed.Load(); n != 1 || !strings.Contains(l.logged.String(), "a worker process failed") {
		t.Errorf("%d failures; the log:\n%s", n, l.logged)
	}
}

// TestWorkerStopped: a job is stopped, which is no failure of its worker. One that is nearly
// done is completed if it was only abandoned.
func TestWorkerStopped(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, done := l.making(ctx, 1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	abandoned, abandon := context.WithCancelCause(t.Context())
	_, done = l.making(abandoned, 60*64_000/8*85/100)
	abandon(recording.ErrAbandoned)
	if err := <-done; err != nil {
		t.Errorf("abandoned: %v", err)
	}
	l.quiet()
}

// TestWorkerFails: a job whose worker ends, or makes no progress, is tried twice. Then
// its error says why.
func TestWorkerFails(t *testing.T) {
	for name, want := range map[string]string{"dies": "EOF", "hangs": "no progress within 300ms"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			p := newProcess(l.life, l.cfg, name)
			p.patience = testkit.Patience
			if err := p.ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			if name == "hangs" {
				p.patience = 300 * time.Millisecond
			}
			_, err := p.now.do(t.Context(), request{Do: doAnalyse}, p.patience, []*os.File{l.file(nil)})
			if _, ended := errors.AsType[endedError](err); !ended || !strings.Contains(err.Error(), want) {
				t.Errorf("%v", err)
			}
			if name == "hangs" {
				return
			}
			if _, err := p.do(t.Context(), request{Do: doAnalyse}, l.file(nil)); err == nil || !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
			if n := l.failed.Load(); n != tries || !strings.Contains(l.logged.String(), "a bug in the worker") {
				t.Errorf("%d failures; the log:\n%s", n, l.logged)
			}
		})
	}
}

// TestHurry: a worker that does not answer keeps nobody waiting whose work is cancelled,
// and that is no failure of the worker.
func TestHurry(t *testing.T) {
	l := newLab(t)
	p := newProcess(l.life, l.cfg, "hangs")
	p.patience = time.Hour
	if err := p.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := p.do(ctx, request{Do: doAnalyse}, l.file(nil))
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(testkit.Patience):
		t.Fatal("it waits on")
	}
	l.quiet()
}

// TestNoWorker: if none can be started, this process does the work, and says so once.
// Later a worker does it.
func TestNoWorker(t *testing.T) {
	l := newLab(t)
	in := l.file(clip(3).WAV())
	l.finishing.program = "/nowhere/that/is"
	for range 3 {
		if found, err := l.Analyse(t.Context(), in); err != nil || len(found.Silences) != 3 {
			t.Errorf("%+v, %v", found, err)
		}
	}
	if n := strings.Count(l.logged.String(), "no worker process can be started"); n != 1 || l.failed.Load() == 0 {
		t.Errorf("%d lines; the log:\n%s", n, l.logged)
	}
	l.finishing.program = program
	testkit.Until(t, "a worker does it", func() bool {
		_, err := l.Analyse(t.Context(), in)
		return err != nil || l.finishing.now != nil
	}, l.logged)
}

// TestClose: the end ends the workers and what they do, and nothing is started later.
func TestClose(t *testing.T) {
	l := newLab(t)
	_, done := l.making(t.Context(), 1)
	pid := pidOf(l, MP3)
	l.Close()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it lives: %v", err)
	}
	if _, err := l.Analyse(t.Context(), l.file(nil)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.quiet()
}

// pidOf is the process that is a worker of this test.
func pidOf(l *lab, name string) int {
	l.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, _ := os.ReadFile(stat)
		_, rest, _ := strings.Cut(string(text), ") ") // proc_pid_stat(5): state and parent follow
		words, _ := os.ReadFile(filepath.Join(filepath.Dir(stat), "cmdline"))
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && strings.HasSuffix(string(words), name+"\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			if err == nil {
				return pid
			}
		}
	}
	l.Fatalf("there is no worker %s; the log:\n%s", name, l.logged)
	return 0
}

// TestPace: a worker rests as long as it works, and not long after it has waited long.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for worked, rests := range map[time.Duration]time.Duration{time.Millisecond: 0, shift: shift, 20 * time.Millisecond: 20 * time.Millisecond, time.Minute: restMost} {
			p := pace{time.Now()}
			time.Sleep(worked)
			began := time.Now()
			p.rest()
			if got := time.Since(began); got != rests {
				t.Errorf("after %v it rests %v, want %v", worked, got, rests)
			}
		}
	})
}
