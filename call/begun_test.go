package call

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// TestCallsAgainAfterRestart: after an outgoing call the caller is in the dialplan
// again and makes another call. Tapedeck has been restarted meanwhile. The files of
// the earlier calls are not changed.
func TestCallsAgainAfterRestart(t *testing.T) {
	for name, during := range map[string]bool{"the restart is during a call": true, "between two": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := pressPolicy(t)
			fx := newFixtureWith(t, policy)
			a := fx.from("1001", "07700900123")
			a.Set("hangup_after_bridge", "false") // FreeSWITCH's default: the dialplan goes on
			for n := range 3 {
				if n > 0 {
					fx.enter(a)
				}
				b := fx.out(a)
				fx.answer(b)
				fx.talk(time.Duration(n+1) * second)
				if during {
					fx.restart(policy, func() {})
				}
				b.Hangup("")
				if !during {
					fx.restart(policy, func() {})
				}
				fx.settle()
			}
			files := fx.files()
			if len(files) != 3 {
				t.Fatalf("files: %q", files)
			}
			for n, name := range []string{a.UUID() + ".wav", a.UUID() + "-2.wav", a.UUID() + "-3.wav"} {
				file := filepath.Join(filepath.Dir(files[0]), name)
				if long, err := esltest.Length(file); err != nil || long != time.Duration(n+1)*second {
					t.Errorf("%s: %v, %v", name, long, err)
				}
			}
		})
	}
}

// TestFileIsThere: a file or a sidecar on the disk is never written over, even if
// the leg's channel data has no earlier call.
func TestFileIsThere(t *testing.T) {
	for _, ext := range []string{".wav", ".json"} {
		t.Run(ext, func(t *testing.T) {
			t.Parallel()
			fx := newFixture(t)
			const leg = "c0ffee00-0000-4000-8000-000000000001"
			dir, err := recording.NewDir(fx.dir)
			fx.must(err)
			path, err := dir.Path("acme", time.Now(), leg)
			fx.must(err)
			fx.must(os.MkdirAll(filepath.Dir(path), 0o755))
			there := path[:len(path)-len(".wav")] + ext
			fx.must(os.WriteFile(there, []byte("old"), 0o644))
			a := fx.sw.Incoming(esltest.Leg{UUID: leg, Number: "07700900123", Destination: "+442079460001"})
			fx.enter(a)
			fx.answer(fx.ring(a, "1004"))
			fx.talk(second)
			a.Hangup("")
			fx.settle()
			if text, err := os.ReadFile(there); err != nil || string(text) != "old" {
				t.Errorf("what was there: %.20q, %v", text, err)
			}
			if got := a.Get("tapedeck_file"); filepath.Base(got) != leg+"-2.wav" {
				t.Errorf("the new call's file: %q", got)
			}
		})
	}
}

// TestBegunBy: the number of calls in a call's id.
func TestBegunBy(t *testing.T) {
	for call, want := range map[string]int{"": 0, "a-b": 1, "a-b-2": 2, "a-b-11": 11, "a-b-1": 0, "a-b-02": 0, "a-b-": 0, "a": 0, "2": 0, "a-b-2-2": 0, "x-2": 0} {
		if got := begunBy("a-b", call); got != want {
			t.Errorf("begunBy(a-b, %q) = %d, want %d", call, got, want)
		}
	}
	leg := fromOutside("+442079460001").with("Unique-ID", "a-b").with("tapedeck_call", "a-b-2")
	if n := readEntry(testPolicy(t), leg).begun; n != 0 {
		t.Errorf("a leg that was turned away has begun %d calls", n)
	}
	if n := readEntry(testPolicy(t), leg.with("tapedeck_file", "x.wav")).begun; n != 2 {
		t.Errorf("a leg whose second call is over has begun %d calls", n)
	}
}
