package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// pressedByAPI is a call that an operator pauses and resumes through the API, in the
// name of the user who talks; the user hears the prompts. Afterwards the API gives
// the file exactly as it is on the disk.
func pressedByAPI(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	said := []period{t.speak(speech)}
	from := t.pressByAPI(anchor, "pause", "paused")
	t.speak(speech)
	to := t.pressByAPI(anchor, "resume", "on")
	said = append(said, t.speak(speech))
	t.hangUp(outside, alice)
	r := t.recording()
	for _, s := range said {
		r.heard(s, only(lab.Outside), only(lab.Alice))
	}
	r.silentExactly(period{from, to})
	r.noPrompts()
	atAlice.prompt("en", "recorded", from)
	atAlice.prompt("en", "is-being-recorded", to)
	atOutside.noPrompt()

	path := "/recordings/" + anchor
	testkit.Within(t, 10*time.Second, "the recording is in the API", func() bool {
		_, err := t.suite.tapedeck.API(t.ctx, http.MethodGet, path, "")
		return err == nil
	})
	wav, err := t.suite.tapedeck.API(t.ctx, http.MethodGet, path+"/audio.wav", "")
	t.do(err)
	file, err := os.ReadFile(r.Path)
	t.do(err)
	if !bytes.Equal(wav, file) {
		t.Errorf("the API gives %d bytes, the file has %d, and they differ", len(wav), len(file))
	}
	mp3, err := t.suite.tapedeck.API(t.ctx, http.MethodGet, path+"/audio.mp3", "")
	t.do(err)
	if !bytes.HasPrefix(mp3, []byte("ID3")) || len(mp3) > len(wav) {
		t.Errorf("the MP3 has %d bytes and begins with %q", len(mp3), mp3[:min(3, len(mp3))])
	}
	text, err := t.suite.tapedeck.API(t.ctx, http.MethodGet, path+"/audit", "")
	t.do(err)
	if !bytes.Contains(text, []byte(`"listen"`)) || !bytes.Contains(text, []byte(`"lab"`)) {
		t.Errorf("the audit log does not say that the account lab has listened: %s", text)
	}
}

// pressByAPI starts, pauses or resumes through the API, and waits until the state is
// announced. It returns when the API was asked.
func (t *talk) pressByAPI(call, action, state string) time.Time {
	t.Helper()
	since, at := t.suite.lab.Switch.Seen(), time.Now()
	text, err := t.suite.tapedeck.API(t.ctx, http.MethodPost, "/calls/"+call+"/recording", fmt.Sprintf(`{"action":%q}`, action))
	t.do(err)
	var answer struct {
		State string `json:"state"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.State != state {
		t.Errorf("%s: the API answers %s, want state %s", action, text, state)
	}
	t.awaitState(since, call, state)
	return at
}
