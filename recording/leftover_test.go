package recording

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
)

const encoderEnv = "TAPEDECK_TEST_ENCODER"

// encodeForever makes an MP3 of the sample and does not come to its end.
func encodeForever(root string) {
	d, err := NewDir(root)
	if err != nil {
		panic(err)
	}
	path, err := sample(call).Path(d)
	if err != nil {
		panic(err)
	}
	v, err := d.openDerived(path, ".mp3")
	if err != nil {
		panic(err)
	}
	panic(v.create(func(_, out *os.File) error {
		_, err := out.WriteString("half of an MP3")
		_, _ = io.Copy(io.Discard, os.Stdin) // which ends with the process that has started this one
		return err
	}))
}

// killedEncoder starts an encoder, and returns the name of the file that it has begun and
// a function that kills it.
func killedEncoder(t *testing.T, d Dir) (temp string, kill func()) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), encoderEnv+"="+d.String())
	stdin, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	day := filepath.Dir(pathOf(t, d, sample(call)))
	testkit.Until(t, "it encodes", func() bool {
		names := temps(t, day)
		if len(names) == 1 {
			temp = filepath.Join(day, names[0])
		}
		return len(names) == 1 && sizeOf(temp) > 0
	})
	return temp, func() {
		_ = child.Process.Kill()
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Error(err)
		}
		stdin.Close()
	}
}

// TestKilledEncoder: what an encoder has written does not outlive the recording, whether
// the encoder was killed before or works on, and whatever deletes the recording.
func TestKilledEncoder(t *testing.T) {
	log := func(d Dir) *audit.Log { return audit.New(d.String(), nil) }
	for name, remove := range map[string]func(d Dir, path string) error{
		"delete": func(d Dir, path string) error {
			return Delete(d, path, log(d), audit.Actor{}, "", day)
		},
		"purge": func(d Dir, _ string) error {
			done, err := Purge(t.Context(), PurgeConfig{Dir: d, Now: afterMonth, Retention: keep(month), Audit: log(d)})
			if done.Deleted != 1 {
				t.Errorf("%+v", done)
			}
			return err
		},
		"unwanted": func(d Dir, path string) error { return d.removeUnwanted(nil, sample(call), path) },
	} {
		for _, dead := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " after", false: " meanwhile"}[dead], func(t *testing.T) {
				d := tempDir(t)
				path := put(t, d, sample(call))
				temp, kill := killedEncoder(t, d)
				if dead {
					kill()
				}
				if err := remove(d, path); err != nil {
					t.Error(err)
				}
				if !dead {
					kill()
				}
				if files := filesBelow(t, d); exists(temp) || slices.ContainsFunc(files, func(name string) bool { return strings.Contains(name, call) }) {
					t.Errorf("left %q", files)
				}
			})
		}
	}
}

// TestDeleteSparesOthers: with a recording only its own unfinished files go.
func TestDeleteSparesOthers(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample(call))
	own := []string{"." + call + ".mp3.1.tmp", "." + call + ".svg.2.tmp", "." + call + ".json.3.tmp"}
	others := []string{"." + call + ".part2.mp3.4.tmp", ".x" + call + ".mp3.5.tmp", ".tmp", "." + call + ".tmp", call + ".mp3.6.tmp"}
	for _, name := range slices.Concat(own, others) {
		testkit.WriteFile(t, filepath.Join(filepath.Dir(path), name), nil)
	}
	if err := Delete(d, path, audit.New(d.String(), nil), audit.Actor{}, "", day); err != nil {
		t.Fatal(err)
	}
	for _, name := range own {
		if exists(filepath.Join(filepath.Dir(path), name)) {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range others {
		if !exists(filepath.Join(filepath.Dir(path), name)) {
			t.Errorf("%s is gone", name)
		}
	}
}

// TestRemoveLeftovers: what an encoder left behind goes when it is dead, and not while it
// works, however long that takes. Other unfinished files have to be old.
func TestRemoveLeftovers(t *testing.T) {
	d := tempDir(t)
	put(t, d, sample(call))
	temp, kill := killedEncoder(t, d)
	sidecar := filepath.Join(filepath.Dir(temp), ".x.json.1.tmp")
	testkit.WriteFile(t, sidecar, nil)
	clean := func(age time.Duration) (encoders, sidecars bool) {
		t.Helper()
		now := time.Now()
		if err := errors.Join(os.Chtimes(sidecar, now, now.Add(-age)), RemoveLeftovers(t.Context(), d, now)); err != nil {
			t.Error(err)
		}
		return exists(temp), exists(sidecar)
	}
	age := func(path string, age time.Duration) {
		t.Helper()
		if err := os.Chtimes(path, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	age(temp, 59*time.Minute)
	if encoders, sidecars := clean(59 * time.Minute); !encoders || !sidecars {
		t.Errorf("while it works: %v, %v", encoders, sidecars)
	}
	kill()
	age(temp, 0)
	if encoders, _ := clean(0); !encoders {
		t.Error("one that may only just begin is gone")
	}
	age(temp, DerivedAge+time.Second)
	if encoders, sidecars := clean(59 * time.Minute); encoders || !sidecars {
		t.Errorf("after its end: %v, %v", encoders, sidecars)
	}
	if _, sidecars := clean(tempAge + time.Second); sidecars {
		t.Error("an old one stays")
	}
}
