package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/sound"
	"tapedeck/store/index"
)

const wavOfAlice = "/api/v1/recordings/" + recAlice + "/audio.wav"

// TestAudioRanges: the ranges that a player asks for, and those that an attacker would
// ask for to keep the server busy.
func TestAudioRanges(t *testing.T) {
	l := newAPILab(t)
	whole := string(labSound())
	size := strconv.Itoa(len(whole))
	res, text := l.wants(200, "anna", "GET", wavOfAlice, "")
	if text != whole || res.Header.Get("Content-Type") != "audio/wav" || res.Header.Get("Accept-Ranges") != "bytes" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d bytes, %v", len(text), res.Header)
	}
	tag, date := res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	for _, tc := range []struct {
		name, want string
		status     int
		headers    []string
	}{
		{"first byte", whole[:1], 206, []string{"Range: bytes=0-0"}},
		{"all", whole, 206, []string{"Range: bytes=0-"}},
		{"end", whole[len(whole)-100:], 206, []string{"Range: bytes=-100"}},
		{"more than all from the end", whole, 206, []string{"Range: bytes=-999999999"}},
		{"over the end", whole[10:], 206, []string{"Range: bytes=10-999999999"}},
		{"behind the end", "", 416, []string{"Range: bytes=" + size + "-"}},
		{"far behind the end", "", 416, []string{"Range: bytes=9223372036854775807-"}},
		{"no number", "", 416, []string{"Range: bytes=9223372036854775808-"}},
		{"below zero", "", 416, []string{"Range: bytes=--1"}},
		{"backwards", "", 416, []string{"Range: bytes=9-3"}},
		{"nothing of the end", "", 416, []string{"Range: bytes=-0"}},
		{"no bytes", "", 416, []string{"Range: lines=1-2"}},
		{"overlapping, together more than the file", whole, 200, []string{"Range: bytes=0-,0-,1-,2-"}},
		{"too many", "", 416, []string{"Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16"}},
		{"far too many", "", 416, []string{"Range: bytes=0-0" + strings.Repeat(",1-1", 100_000)}},
		{"two headers", "", 416, []string{"Range: bytes=0-0", "Range: bytes=1-1"}},
		{"if it is the same", whole[5:10], 206, []string{"Range: bytes=5-9", "If-Range: " + tag}},
		{"if it is as old", whole[5:10], 206, []string{"Range: bytes=5-9", "If-Range: " + date}},
		{"if it is another", whole, 200, []string{"Range: bytes=5-9", `If-Range: "other"`}},
		{"if it is weakly the same", whole, 200, []string{"Range: bytes=5-9", "If-Range: W/" + tag}},
		{"if it is new", "", 304, []string{"If-None-Match: " + tag}},
		{"if it is still the same", "", 412, []string{`If-Match: "other"`}},
	} {
		res, text := l.ask("anna", "GET", wavOfAlice, "", tc.headers...)
		if res.StatusCode != tc.status || tc.status < 300 && text != tc.want {
			t.Errorf("%s: %d and %d bytes, want %d and %d", tc.name, res.StatusCode, len(text), tc.status, len(tc.want))
		}
		if tc.status == 416 && (code(t, text) != "range" || res.Header.Get("Etag") != "" || res.Header.Get("Content-Disposition") != "") {
			t.Errorf("%s: %s %v", tc.name, text, res.Header)
		}
	}
	res, _ = l.ask("anna", "GET", wavOfAlice, "", "Range: bytes="+size+"-")
	if got := res.Header.Get("Content-Range"); got != "bytes */"+size {
		t.Errorf("Content-Range %q", got)
	}
	res, text = l.wants(200, "anna", "HEAD", wavOfAlice, "")
	if res.Header.Get("Content-Length") != size || text != "" {
		t.Errorf("HEAD: %v", res.Header)
	}
}

// TestAudioSeveralRanges: several ranges at once are answered as multipart/byteranges.
func TestAudioSeveralRanges(t *testing.T) {
	l := newAPILab(t)
	whole := string(labSound())
	res, text := l.wants(206, "anna", "GET", wavOfAlice, "", "Range: bytes=0-9, 100-109, -10")
	_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(strings.NewReader(text), params["boundary"])
	for _, want := range []string{whole[:10], whole[100:110], whole[len(whole)-10:]} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 10)
		if n, _ := part.Read(got); string(got[:n]) != want || part.Header.Get("Content-Type") != "audio/wav" {
			t.Errorf("%q %v, want %q", got, part.Header, want)
		}
	}
}

// TestAudioAudit: the many requests of a player are one line of the audit log; every
// download is one.
func TestAudioAudit(t *testing.T) {
	l := newAPILab(t)
	lines := func(what string) int { return strings.Count(l.Audited(), `"what":"`+what+`"`) }
	for range 3 {
		l.wants(206, "anna", "GET", wavOfAlice, "", "Range: bytes=0-99")
		l.wants(206, "anna", "GET", wavOfAlice, "", "Range: bytes=1-")
		l.wants(200, "anna", "GET", wavOfAlice, "")
		l.wants(200, "anna", "HEAD", wavOfAlice, "")
	}
	if n := lines("listen"); n != 1 {
		t.Errorf("%d lines of one who listens: %s", n, l.Audited())
	}
	l.wants(200, "lisa", "GET", wavOfAlice, "")
	l.wants(200, "anna", "GET", "/api/v1/recordings/"+recCarol+"/audio.wav", "")
	if n := lines("listen"); n != 3 {
		t.Errorf("%d lines of two who listen to two: %s", n, l.Audited())
	}
	for i, tc := range []struct {
		headers []string
		more    int
	}{
		{nil, 1}, {nil, 1}, {[]string{"Range: bytes=0-"}, 1}, {[]string{"Range: bytes= 0-5"}, 1},
		{[]string{"Range: bytes=1-"}, 1}, {[]string{"Range: bytes=2-"}, 0}, {[]string{"Range: bytes=-5"}, 0},
	} {
		before := lines("download")
		l.ask("anna", "GET", wavOfAlice+"?download=1", "", tc.headers...)
		if got := lines("download") - before; got != tc.more {
			t.Errorf("download %d: %d lines, want %d", i, got, tc.more)
		}
	}
	for _, want := range []string{`"who":"anna"`, `"organisation":"acme"`, `"recording":"` + recAlice + `"`, `"from":"127.0.0.1"`, `"detail":"WAV"`} {
		if !strings.Contains(l.Audited(), want) {
			t.Errorf("no %s in %s", want, l.Audited())
		}
	}
	l.wants(403, "lisa", "GET", wavOfAlice+"?download=1", "")
	l.wants(403, "lisa", "GET", wavOfAlice+"?download=1", "")
	if n := lines("refused"); n != 1 {
		t.Errorf("%d lines of what was refused: %s", n, l.Audited())
	}
}

// TestListenedToWhole: whoever may listen and not download gets the sound without a name,
// not to be stored, and in ranges. If an account has got all of it, at once or in ranges,
// that is a download in the audit log, each time; what others have got does not count.
func TestListenedToWhole(t *testing.T) {
	l := newAPILab(t)
	size := len(labSound())
	downloads := func() int { return strings.Count(l.Audited(), `"what":"download"`) }
	part := func(account string, from, to int) {
		t.Helper()
		res, text := l.ask(account, "GET", wavOfAlice, "", fmt.Sprintf("Range: bytes=%d-%d", from, to-1))
		if res.StatusCode != 206 || len(text) != to-from {
			t.Errorf("%d, %d bytes", res.StatusCode, len(text))
		}
	}
	expect := func(what string, n int) {
		t.Helper()
		if got := downloads(); got != n {
			t.Errorf("%s: %d downloads, want %d\n%s", what, got, n, l.Audited())
		}
	}
	l.wants(403, "lisa", "GET", wavOfAlice+"?download=1", "")
	l.wants(200, "lisa", "HEAD", wavOfAlice, "")
	expect("only asked", 0)
	res, _ := l.wants(200, "lisa", "GET", wavOfAlice, "")
	if h := res.Header; h.Get("Content-Disposition") != "inline" || h.Get("Cache-Control") != "no-store" || h.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", h)
	}
	expect("at once", 1)
	if want := `"who":"lisa","what":"download"`; !strings.Contains(l.Audited(), want) || !strings.Contains(l.Audited(), `"detail":"WAV, all of it by listening"`) {
		t.Errorf("no %s in %s", want, l.Audited())
	}
	for from := 0; from < size; from += size / 9 { // the last ones first
		expect("some ranges", 1)
		part("lisa", max(0, size-from-size/9), size-from)
	}
	expect("all ranges", 2)
	part("lisa", 0, size/2)
	part("anna", size/2, size)
	expect("half of it each", 2)
	part("lisa", size/3, size)
	expect("the other half", 3)
	for range 3 {
		part("lisa", 0, size*9/10)
	}
	expect("nine tenths, again and again", 3)
}

// TestNoAuditNoWhole: if the line that somebody has got all of a sound cannot be written,
// he does not get it.
func TestNoAuditNoWhole(t *testing.T) {
	l := newAPILab(t)
	whole := labSound()
	l.wants(206, "lisa", "GET", wavOfAlice, "", "Range: bytes=0-99")
	path := l.Audit.Path()
	if err := errors.Join(os.Rename(path, path+"x"), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.URL+wavOfAlice, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := l.who("lisa").Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil || len(got) >= len(whole)*96/100 {
			t.Errorf("%d bytes of %d went out, %v", len(got), len(whole), err)
		}
	}
}

// TestNoAuditNoSound: if its audit line cannot be written, nothing is done, except a
// pause.
func TestNoAuditNoSound(t *testing.T) {
	l := newAPILab(t)
	if err := os.Mkdir(l.Audit.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	sound := string(labSound()[44:100])
	for _, e := range []endpoint{
		{"GET", wavOfAlice, "", "", 503},
		{"GET", wavOfAlice + "?download=1", "", "", 503},
		{"GET", "/api/v1/recordings.csv", "", "", 503},
		{"POST", "/api/v1/recordings.zip", `{"ids":["` + recAlice + `"]}`, "", 503},
		{"DELETE", "/api/v1/recordings/" + recAlice + "?reason=x", "", "", 503},
		{"PUT", "/api/v1/recordings/" + recAlice + "/hold?reason=x", "", "", 503},
		{"POST", "/api/v1/calls/" + callAlice + "/recording", `{"action":"start"}`, "", 503},
		{"POST", "/api/v1/calls/" + callAlice + "/recording", `{"action":"toggle"}`, "", 503},
		{"POST", "/api/v1/calls/" + callAlice + "/recording", `{"action":"pause"}`, "", 200},
		{"GET", "/api/v1/recordings/" + recAlice, "", "", 200},
	} {
		res, text := l.wants(e.status, "root", e.method, e.path, e.body)
		if e.status == 503 && (code(t, text) != "no_audit" || res.Header.Get("Retry-After") == "" || res.Header.Get("Content-Disposition") != "") {
			t.Errorf("%s %s: %s", e.method, e.path, text)
		}
		if strings.Contains(text, sound) || strings.Contains(text, "RIFF") || e.status == 503 && strings.Contains(text, recAlice) {
			t.Errorf("%s %s: something was given: %.100q", e.method, e.path, text)
		}
	}
	if got := l.calls.was(); got != callAlice+" - root pause" {
		t.Errorf("pressed: %s", got)
	}
}

// TestHostileIndex: the path that the index has is not trusted.
func TestHostileIndex(t *testing.T) {
	l := newAPILab(t)
	secret := filepath.Join(filepath.Dir(l.Dir.String()), "accounts.yaml")
	side := labSidecar("acme", recAlice, "alice", "sales")
	own, err := side.Path(l.Dir)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(l.Dir.String(), own)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"", ".", "/", "/etc/passwd", "../accounts.yaml", "acme/../../accounts.yaml", secret,
		"acme/2026/11/20/../20/" + recAlice + ".wav", strings.Replace(rel, recAlice, recCarol, 1), strings.Replace(rel, "acme", "beta", 1),
		"beta/2026/11/20/" + recDave + ".wav", strings.TrimSuffix(rel, ".wav") + ".json", "audit.jsonl", rel + "\x00", "\x00", rel + "/",
	} {
		l.index(side, func(r *index.Recording) { r.Path = path })
		for _, e := range recordingEndpoints {
			if e.method == "DELETE" && !strings.HasSuffix(e.path, "hold") {
				continue // last
			}
			res, text := l.ask("anna", e.method, strings.ReplaceAll(e.path, "{id}", recAlice), strings.ReplaceAll(e.body, "{id}", recAlice))
			if !strings.HasSuffix(e.path, "audit") && res.StatusCode < 400 || strings.Contains(text, "argon2") || strings.Contains(text, l.Dir.String()) {
				t.Errorf("path %q: %s %s: %d %.300s", path, e.method, e.path, res.StatusCode, text)
			}
		}
		l.ask("anna", "DELETE", "/api/v1/recordings/"+recAlice+"?reason=x", "")
		if _, err := os.Stat(own); err != nil {
			t.Fatalf("path %q: %v", path, err)
		}
	}
}

// TestSwappedFiles: a file of another recording than the index entry's is not sent.
func TestSwappedFiles(t *testing.T) {
	l := newAPILab(t)
	at := func(org, id, user string) string {
		path, err := labSidecar(org, id, user).Path(l.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	alice, dave := at("acme", recAlice, "alice"), at("beta", recDave, "dave")
	replace := func(from, to string) {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(name string) {
		t.Helper()
		for _, path := range []string{"", "/audio.wav", "/audio.wav?download=1", "/audio.mp3", "/waveform.svg"} {
			if res, text := l.ask("anna", "GET", "/api/v1/recordings/"+recAlice+path, ""); res.StatusCode < 400 {
				t.Errorf("%s: %s: %d %.100s", name, path, res.StatusCode, text)
			}
		}
		if res, _ := l.ask("anna", "POST", "/api/v1/recordings.zip", `{"ids":["`+recAlice+`"]}`); res.StatusCode < 400 {
			t.Errorf("%s: zip: %d", name, res.StatusCode)
		}
	}
	replace(recording.SidecarPath(dave), recording.SidecarPath(alice))
	refused("sidecar of another")
	if err := os.WriteFile(recording.SidecarPath(alice), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("no sidecar")

	l.again()
	if err := os.Remove(alice); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dave, alice); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/audio.wav", "/audio.wav?download=1", "/audio.mp3"} {
		if res, text := l.ask("anna", "GET", "/api/v1/recordings/"+recAlice+path, ""); res.StatusCode < 400 || strings.Contains(text, "RIFF") {
			t.Errorf("symlink: %s: %d", path, res.StatusCode)
		}
	}
}

// TestFileNames: no name of a caller can change the headers of an answer.
func TestFileNames(t *testing.T) {
	l := newAPILab(t)
	for _, external := range []string{"", "+44 20 7946 0999", "x\r\nSet-Cookie: a=b\r\n\r\n<script>", `"; filename="evil.exe`, "../../etc/passwd", "\u202eexe.wav",
		strings.Repeat("9", 100), "日本\x00", "%0d%0aX: y", `a";b='c'`} {
		side := labSidecar("acme", recAlice, "alice", "sales")
		side.External = external
		l.record(side)
		for _, query := range []string{"", "?download=1"} {
			res, _ := l.wants(200, "anna", "GET", wavOfAlice+query, "")
			kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
			if err != nil || (kind == "attachment") != (query != "") || len(params) != len(query)/len("?download=1") {
				t.Errorf("%q: %q: %v", external, res.Header.Get("Content-Disposition"), err)
			}
			if query == "" { // it is played, and has no name
				continue
			}
			name := params["filename"]
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-+_.") != "" || !strings.HasSuffix(name, "_"+recAlice+".wav") || len(name) > 120 {
				t.Errorf("%q: file name %q", external, name)
			}
			if len(res.Header["Set-Cookie"]) > 0 || len(res.Header["X"]) > 0 {
				t.Errorf("%q: %v", external, res.Header)
			}
		}
	}
}

// TestPathTricks: texts that are no ids are not found.
func TestPathTricks(t *testing.T) {
	l := newAPILab(t)
	for _, id := range []string{"..", ".", "%2e%2e", "..%2f..%2fbeta%2f2026%2f11%2f20%2f" + recDave, "%2fetc%2fpasswd", recAlice + "%00", recAlice + ".wav", recAlice + ".json",
		recAlice + ".part1", recAlice + ".part01", recAlice + ".part2", recAlice + "%2faudio.wav", recAlice + "%0d%0aX:%20y", "%ff%fe", "*", "%5c..%5c", strings.Repeat("a", 5000),
		strings.ToUpper(recAlice), " " + recAlice, recAlice + "%20", "%7bid%7d", recAlice + ";x=y", "\u202e"} {
		for _, path := range []string{"", "/audio.wav", "/audio.mp3", "/waveform.svg", "/audit"} {
			r, err := http.NewRequest(http.MethodGet, l.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = "/api/v1/recordings/" + id + path
			res, err := l.Bearer("root").Do(r)
			if err != nil {
				continue // the client will not send it
			}
			res.Body.Close()
			if res.StatusCode != 404 && res.StatusCode != 400 && res.StatusCode != 301 && res.StatusCode != 307 {
				t.Errorf("%.80s%s: %d", id, path, res.StatusCode)
			}
			if res.Header.Get("X") != "" {
				t.Errorf("%.80s%s: %v", id, path, res.Header)
			}
		}
	}
}

// TestMP3ForWhoeverLeaves: if a client leaves while its MP3 is made, the audit log does not
// say that it was heard.
func TestMP3ForWhoeverLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := newAPILab(t, func(cfg *console.Config) {
		cfg.Workshop = recording.InProcess{Progress: func(float64) { cancel() }}
	})
	at := "/api/v1/recordings/" + recAlice + "/audio.mp3"
	r := httptest.NewRequestWithContext(ctx, "GET", at, nil)
	r.Header.Set("Authorization", "Bearer "+consoletest.Token("anna"))
	l.Server.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if ctx.Err() == nil {
		t.Fatal("it was not begun")
	}
	if log := l.Audited(); log != "" {
		t.Errorf("nobody has heard it: %s", log)
	}
	l.wants(200, "anna", "GET", at, "")
}

// busyShop makes no MP3 while it is busy.
type busyShop struct {
	recording.InProcess
	busy atomic.Bool
}

func (s *busyShop) MP3(ctx context.Context, in, out *os.File, tags sound.Tags) error {
	if !s.busy.Load() {
		return s.InProcess.MP3(ctx, in, out, tags)
	}
	<-ctx.Done()
	return ctx.Err()
}

// tooManyWaiting has an account ask for four MP3s at once, and returns the first answer:
// that to the one too many.
func (l *apiLab) tooManyWaiting(shop *busyShop, account string) (*http.Response, string) {
	l.Helper()
	shop.busy.Store(true)
	defer shop.busy.Store(false)
	ctx, leave := context.WithCancel(l.Context())
	answers := make(chan *http.Response, 4)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer leave()
	for _, id := range []string{"mp3-1", "mp3-2", "mp3-3", "mp3-4"} {
		l.record(labSidecar("acme", id, "alice", "sales"))
		r := httptest.NewRequestWithContext(ctx, "GET", "/api/v1/recordings/"+id+"/audio.mp3", nil)
		r.Header.Set("Authorization", "Bearer "+consoletest.Token(account))
		waiting.Go(func() {
			w := httptest.NewRecorder()
			l.Server.Handler().ServeHTTP(w, r)
			res := w.Result()
			res.Request = r
			answers <- res
		})
	}
	res := <-answers
	text, err := io.ReadAll(res.Body)
	if err == nil {
		err = l.doc.check(res, string(text))
	}
	if err != nil {
		l.Error(err)
	}
	return res, string(text)
}

// TestMP3TooManyWaiting: whoever waits for three MP3s gets no fourth, and has it later.
func TestMP3TooManyWaiting(t *testing.T) {
	shop := &busyShop{}
	l := newAPILab(t, func(cfg *console.Config) { cfg.Workshop = shop })
	if res, text := l.tooManyWaiting(shop, "anna"); res.StatusCode != 429 || code(t, text) != "too_many_waiting" || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, text)
	}
	testkit.Until(t, "it is made later", func() bool {
		res, _ := l.ask("anna", "GET", "/api/v1/recordings/mp3-4/audio.mp3", "")
		return res.StatusCode == 200
	})
}
