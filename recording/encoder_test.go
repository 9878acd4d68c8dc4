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

// testEncoder returns an Encoder that ends with the test.
func testEncoder(t *testing.T, d Dir, shop Workshop) *Encoder {
	e := NewEncoder(d, shop)
	t.Cleanup(e.Close)
	return e
}

func TestMP3Refuses(t *testing.T) {
	d := tempDir(t)
	path := pathOf(t, d, sample(call))
	testkit.NewClip(3, 8000).Add(300, tone).Write(t, path)
	if _, err := testEncoder(t, d, InProcess{}).MP3(t.Context(), "anna", path, Sidecar{}); !errors.Is(err, ErrNoSound) || len(filesBelow(t, d)) != 1 {
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
	e := testEncoder(t, d, InProcess{})
	var group sync.WaitGroup
	var mu sync.Mutex
	var infos []os.FileInfo
	for range 8 {
		group.Go(func() {
			mp3, err := e.MP3(t.Context(), "anna", path, Sidecar{})
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

// heldShop is a workshop that begins an MP3 when the test has taken its name from began,
// and makes it when the test sends to held.
type heldShop struct {
	InProcess
	began chan string // the comment of its tags
	held  chan struct{}
}

func newHeldShop() *heldShop {
	return &heldShop{began: make(chan string), held: make(chan struct{})}
}

func (h *heldShop) MP3(ctx context.Context, in, out *os.File, tags sound.Tags) error {
	select {
	case h.began <- strings.TrimPrefix(tags.Comment, "recording "):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-h.held:
		return h.InProcess.MP3(ctx, in, out, tags)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// asked is what somebody gets who asks for an MP3.
type asked struct {
	path string
	err  error
}

// ask asks for the MP3 of a new recording, or of one that is there.
func ask(t *testing.T, ctx context.Context, e *Encoder, account, id string) <-chan asked {
	t.Helper()
	s := sample(id)
	path := pathOf(t, e.dir, s)
	if !exists(path) {
		put(t, e.dir, s)
	}
	got := make(chan asked, 1)
	waiting := e.waiting()
	go func() {
		path, err := e.MP3(ctx, account, path, s)
		got <- asked{path, err}
	}()
	testkit.Until(t, "it waits or was refused", func() bool { return e.waiting() != waiting || len(got) > 0 })
	return got
}

// waiting is how many wait for MP3s.
func (e *Encoder) waiting() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, job := range e.jobs {
		n += job.waiters
	}
	return n
}

// TestMP3Accounts: an account has one MP3 made and two wait; the accounts take turns, so
// that nobody waits for all of another's.
func TestMP3Accounts(t *testing.T) {
	shop := newHeldShop()
	e := testEncoder(t, tempDir(t), shop)
	var all []<-chan asked
	for _, id := range []string{"anna-1", "anna-2", "anna-3"} {
		all = append(all, ask(t, t.Context(), e, "anna", id))
		if id == "anna-1" {
			if began := <-shop.began; began != id {
				t.Fatalf("%s began", began)
			}
		}
	}
	if got := <-ask(t, t.Context(), e, "anna", "anna-4"); !errors.Is(got.err, ErrTooManyWaiting) {
		t.Errorf("the fourth: %v", got.err)
	}
	all = append(all, ask(t, t.Context(), e, "anna", "anna-2")) // which she waits for already
	all = append(all, ask(t, t.Context(), e, "berta", "berta-1"))
	shop.held <- struct{}{}
	order := ""
	for range 3 {
		order += <-shop.began + " "
		shop.held <- struct{}{}
	}
	if !strings.HasPrefix(order, "anna-") && !strings.HasPrefix(order, "berta-1 anna-") || strings.Index(order, "berta-1") > len("anna-2 ") {
		t.Errorf("after the first: %s", order)
	}
	for _, one := range all {
		if got := <-one; got.err != nil || !exists(got.path) {
			t.Errorf("%+v", got)
		}
	}
	testkit.Until(t, "no account is kept", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.accounts)+len(e.jobs) == 0
	})
}

// TestMP3Abandoned: an MP3 is stopped when the last one leaves who waits for it, and not
// before.
func TestMP3Abandoned(t *testing.T) {
	shop := newHeldShop()
	e := testEncoder(t, tempDir(t), shop)
	first, leave := context.WithCancel(t.Context())
	second, leaveToo := context.WithCancel(t.Context())
	one := ask(t, first, e, "anna", "one")
	<-shop.began
	other := ask(t, second, e, "berta", "one")
	leave()
	if got := <-one; !errors.Is(got.err, context.Canceled) {
		t.Error(got.err)
	}
	if temps := temps(t, filepath.Dir(pathOf(t, e.dir, sample("one")))); len(temps) != 1 {
		t.Errorf("one still waits, and there is %q", temps)
	}
	leaveToo()
	if got := <-other; !errors.Is(got.err, context.Canceled) {
		t.Error(got.err)
	}
	again := ask(t, t.Context(), e, "anna", "one")
	<-shop.began // so the abandoned one has ended
	shop.held <- struct{}{}
	if got := <-again; got.err != nil {
		t.Error(got.err)
	}
	if files := filesBelow(t, e.dir); len(files) != 3 {
		t.Errorf("left %q", files)
	}
}

// TestEncoderClose: nothing is made after the end, and nothing left behind.
func TestEncoderClose(t *testing.T) {
	shop := newHeldShop()
	e := testEncoder(t, tempDir(t), shop)
	got := ask(t, t.Context(), e, "anna", "one")
	<-shop.began
	e.Close()
	if got := <-got; !errors.Is(got.err, context.Canceled) {
		t.Error(got.err)
	}
	if _, err := e.MP3(t.Context(), "anna", pathOf(t, e.dir, sample("one")), sample("one")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if files := filesBelow(t, e.dir); len(files) != 2 {
		t.Errorf("left %q", files)
	}
}

// TestNearlyDone: an MP3 that nobody waits for is stopped, unless four fifths of it are
// done; whatever else ends its context stops it.
func TestNearlyDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	testkit.NewClip(1, 8000).Add(40_000, tone).Write(t, path)
	for _, test := range []struct {
		at    float64
		cause error
		done  bool
	}{{0.5, ErrAbandoned, false}, {nearlyDone, ErrAbandoned, true}, {nearlyDone, errors.New("the end"), false}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		in, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(path + ".mp3")
		if err != nil {
			t.Fatal(err)
		}
		shop := InProcess{Progress: func(done float64) {
			if done >= test.at {
				cancel(test.cause)
			}
		}}
		err = shop.MP3(ctx, in, out, sound.Tags{})
		if (err == nil) != test.done || err != nil && !errors.Is(err, context.Canceled) || ctx.Err() == nil {
			t.Errorf("%v at %v: %v", test.cause, test.at, err)
		}
		in.Close()
		out.Close()
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
