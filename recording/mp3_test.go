package recording

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
	"tapedeck/internal/tidy"
	"tapedeck/recording/sound"
)

func TestMP3Refuses(t *testing.T) {
	d := tempDir(t)
	path := pathOf(t, d, sample(call))
	testkit.NewClip(3, 8000).Add(300, tone).Write(t, path)
	if _, err := MP3(t.Context(), t.Context(), d, path, Sidecar{}); !errors.Is(err, ErrNoSound) || len(filesBelow(t, d)) != 1 {
		t.Errorf("%v: %q", err, filesBelow(t, d))
	}
}

func TestTagsOf(t *testing.T) {
	s := sample(call)
	want := sound.Tags{Title: "inbound call, +442079460999, alice", Date: day, Album: "acme", Comment: "recording " + call}
	if got := tagsOf(s); got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	s.External, s.Users, s.Started = "evil\x00\r\nTIT2", []string{strings.Repeat("é", 9999)}, time.Unix(1<<60, 0)
	want = sound.Tags{Title: tidy.Text("inbound call, "+s.External+", "+s.Users[0], maxReason), Album: "acme", Comment: "recording " + call}
	if got := tagsOf(s); got != want || !strings.HasPrefix(got.Title, "inbound call, evil\ufffd  TIT2, éé") {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// TestMP3AtOnce: of many who ask for one MP3 at once, one makes it.
func TestMP3AtOnce(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample(call))
	var group sync.WaitGroup
	var mu sync.Mutex
	var infos []os.FileInfo
	for range 8 {
		group.Go(func() {
			mp3, err := MP3(t.Context(), t.Context(), d, path, Sidecar{})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			infos = append(infos, infoOf(t, mp3))
		})
	}
	group.Wait()
	for _, info := range infos {
		if !os.SameFile(info, infos[0]) || !info.ModTime().Equal(infos[0].ModTime()) {
			t.Error("it was made more than once")
		}
	}
}

// TestMP3Left: whoever leaves while waiting is let go, and an MP3 that is being made
// is finished.
func TestMP3Left(t *testing.T) {
	d := tempDir(t)
	path := pathOf(t, d, sample(call))
	testkit.WriteFile(t, path, testkit.NewClip(2, 8000).Add(20_000, tone).WAV())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		cancelWhenBegun(t, ctx, cancel, path)
		if _, err := MP3(ctx, t.Context(), d, path, Sidecar{}); !errors.Is(err, context.Canceled) {
			t.Errorf("who waits for it: %v", err)
		}
	})
	made, err := MP3(ctx, t.Context(), d, path, Sidecar{})
	group.Wait()
	if err != nil || ctx.Err() == nil || !exists(made) {
		t.Errorf("whose turn it was: %v, %v", err, filesBelow(t, d))
	}
}

// cancelWhenBegun cancels as soon as a file is being made of a sound.
func cancelWhenBegun(t *testing.T, ctx context.Context, cancel func(), path string) {
	for len(temps(t, filepath.Dir(path))) == 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	cancel()
}

// TestMP3Cancelled: cancelling leaves nothing behind, at whatever moment.
func TestMP3Cancelled(t *testing.T) {
	d := tempDir(t)
	path := pathOf(t, d, sample(call))
	testkit.WriteFile(t, path, testkit.NewClip(2, 8000).Add(20_000, tone).WAV())
	cancelled := 0
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { cancelWhenBegun(t, ctx, cancel, path) })
		_, err := MP3(t.Context(), ctx, d, path, Sidecar{})
		cancel()
		group.Wait()
		if errors.Is(err, context.Canceled) {
			cancelled++
			if files := filesBelow(t, d); len(files) != 1 {
				t.Fatalf("left %q", files)
			}
			if cancelled == 2 {
				break
			}
		}
	}
	if cancelled == 0 {
		t.Error("none was cancelled")
	}
	if _, err := MP3(t.Context(), t.Context(), d, path, Sidecar{}); err != nil {
		t.Error("after that:", err)
	}
}

func temps(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if durable.IsTemp(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}
