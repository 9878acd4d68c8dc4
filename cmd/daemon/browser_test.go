package daemon_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tapedeck/cmd/daemon"
	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/console/access"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/index"
)

const browserPolicy = `version: 1
region: GB
organisations:
  acme:
    brand: north
    domains: [acme.example.net]
    on_demand: { dtmf: "*1", api: true }
    numbers: { "+442079460001": { record: yes }, "+442079460004": { record: dont-care } }
    ring_groups: { sales: { record: dont-care, members: [alice] }, support: { record: dont-care, members: [dave] } }
    users: { alice: { extension: "1001" }, dave: { extension: "1004" } }
  beta:
    domains: [beta.example.net]
    numbers: { "+442079460101": { record: yes } }
    users: { bert: { extension: "1002" } }
`

const browserPassword = "a long enough password"

// browserAccounts are the accounts that sign in.
const browserAccounts = `version: 1
accounts:
  anna: { role: organisation, organisation: acme, password: %[1]q }
  sue: { role: organisation, organisation: acme, groups: [sales], password: %[1]q }
  lisa: { role: organisation, organisation: acme, rights: [see, listen], password: %[1]q }
  alice: { role: user, organisation: acme, user: alice, password: %[1]q }
`

// browser is a whole Tapedeck with a simulated FreeSWITCH, and a Chromium that
// looks at its console.
type browser struct {
	*testing.T
	daemon *daemon.Daemon
	office *esltest.Office
	base   string // URL of the console
	tab    context.Context
	shots  string // folder of the pictures
	spool  string // of the recordings
}

// shotsFolder is where the pictures of the pages go, for a person to look at.
func shotsFolder(t *testing.T) string {
	dir := os.Getenv("TAPEDECK_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "tapedeck-screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	if program == "" {
		t.Skip("no chromium on PATH: the console is not looked at in a browser")
	}
	b := &browser{T: t, shots: shotsFolder(t)}
	dir := spooltest.Folder(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.RealTime)
	b.must(os.WriteFile(filepath.Join(dir, "accounts.yaml"), fmt.Appendf(nil, browserAccounts, access.HashPassword(browserPassword)), 0o600))
	b.daemon = start(t, dir, browserPolicy, "switches:\n"+line)
	b.spool = filepath.Join(dir, "spool")
	b.base = "http://" + b.daemon.Addresses().Console.String()
	b.office = daemontest.Office(sw, b.daemon.Addresses().Socket.String())
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.WindowSize(1280, 900))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b.tab, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b.must(chromedp.Do(b.tab)) // starts it
	return b
}

func (b *browser) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.tab, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("%v; the page:\n%s", err, b.page())
	}
}

// page is what a person sees.
func (b *browser) page() string {
	text, err := chromedp.Run(b.tab, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// js returns the value of an expression in the page. It waits for a promise.
func js[T any](b *browser, expression string, args ...any) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.tab, 20*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](fmt.Sprintf(expression, args...), chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v; the page:\n%s", expression, err, b.page())
	}
	return value
}

// run evaluates an expression whose value does not matter.
func (b *browser) run(expression string) { b.Helper(); _ = js[bool](b, "(%s, true)", expression) }

// until waits until an expression is true in the page that is shown by then, and returns how
// long that took.
func (b *browser) until(what, expression string, args ...any) time.Duration {
	b.Helper()
	began := time.Now()
	for {
		yes, err := chromedp.Run(b.tab, chromedp.Evaluate[bool]("!!("+fmt.Sprintf(expression, args...)+")"))
		if err == nil && yes {
			return time.Since(began)
		}
		if time.Since(began) > testkit.Patience {
			b.Fatalf("not %s: %v; the page:\n%s", what, err, b.page())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// shoot takes pictures of the page as a desktop and as a phone show it.
func (b *browser) shoot(name string) {
	b.Helper()
	for _, screen := range []struct {
		name          string
		width, height int64
		phone         bool
	}{{"phone", 360, 740, true}, {"desktop", 1280, 900, false}} {
		options := []chromedp.EmulateViewportOption{}
		if screen.phone {
			options = append(options, chromedp.EmulateMobile)
		}
		b.do(chromedp.EmulateViewport(screen.width, screen.height, options...))
		picture, err := chromedp.Run(b.tab, chromedp.FullScreenshot(100))
		b.must(err)
		b.must(os.WriteFile(filepath.Join(b.shots, name+"-"+screen.name+".png"), picture, 0o644))
		if wide := js[int64](b, `document.documentElement.scrollWidth`); wide > screen.width {
			b.Errorf("%s: %d pixels wide on a screen of %d", name, wide, screen.width)
		}
	}
}

// signIn lets a person sign in.
func (b *browser) signIn(name string) {
	b.Helper()
	b.do(chromedp.Navigate(b.base+"/"), chromedp.WaitVisible(`#password`), chromedp.SendKeys(`#name`, name),
		chromedp.SendKeys(`#password`, browserPassword+"\n"), chromedp.WaitVisible(`.brand`))
	b.until(name+" is signed in", `document.readyState == "complete" && location.pathname == "/" && !!document.querySelector("form[action='/sign-out']")`)
}

func (b *browser) signOut() {
	b.Helper()
	b.run(`document.querySelector("form[action='/sign-out'] button").click()`)
	b.do(chromedp.WaitVisible(`#password`))
}

// status returns the status code of a request that the page makes.
func (b *browser) status(method, path string) int {
	b.Helper()
	return js[int](b, `fetch(%q, {method: %q, headers: {"X-CSRF-Token": document.querySelector("input[name=csrf]").value}}).then(r => r.status)`, path, method)
}

// call places a call from outside, by way of a ring group if one is named, that a phone answers.
func (b *browser) call(number, group, phone string) (outside, inside *esltest.Channel) {
	b.Helper()
	leg, err := b.office.Inbound(b.Context(), number)
	b.must(err)
	if group != "" {
		b.must(b.office.Enter(b.Context(), leg, "ring_group/"+group))
	}
	inside = b.office.Ring(leg, phone)
	inside.Answer()
	return leg, inside
}

// recorded hangs up and waits until the call is in the index.
func (b *browser) recorded(leg *esltest.Channel) index.Recording {
	b.Helper()
	leg.Hangup("")
	var r index.Recording
	testkit.Until(b, "the recording is in the index", func() bool {
		var err error
		r, err = b.daemon.Index().Find(b.Context(), leg.UUID())
		return err == nil
	})
	return r
}

// TestBrowser is what an administrator and two others do with the console.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	leg, alice := b.call("+442079460001", "sales", "1001")
	b.office.Switch.Talk(2 * time.Second)
	alice.PressDigits("*1")
	b.office.Switch.Talk(2 * time.Second)
	alice.PressDigits("*1")
	b.office.Switch.Talk(2 * time.Second)
	paused := b.recorded(leg)
	other, _ := b.call("+442079460001", "support", "1004")
	b.office.Switch.Talk(time.Second)
	support := b.recorded(other)
	strange, _ := b.call("+442079460101", "", "1002")
	b.office.Switch.Talk(time.Second)
	beta := b.recorded(strange)

	b.signIn("anna")
	b.findsAndHears(paused)
	b.downloads(paused)
	b.switchesLive()
	b.isRefused(beta)
	b.signOut()

	b.signIn("sue") // who sees the calls of sales alone
	if rows := js[string](b, `document.querySelector("table.list tbody").innerText`); strings.Count(rows, "alice") != 2 || strings.Contains(rows, "dave") {
		t.Errorf("sue sees %q, want the two of alice", rows)
	}
	b.isRefused(support)
	b.signOut()

	b.signIn("lisa") // who may see and hear, and no more
	b.do(chromedp.Navigate(b.base + "/recordings/" + paused.ID))
	if n := js[int](b, `document.querySelectorAll(".downloads, a[href$='/delete'], form[action$='/hold'], a[href='/audit']").length`); n != 0 {
		t.Errorf("lisa is offered %d things that she may not do", n)
	}
	path := "/api/v1/recordings/" + paused.ID
	for request, want := range map[string]int{"GET /audio.wav": 200, "GET /audio.wav?download=1": 403, "GET /audio.mp3?download=1": 403, "DELETE ?reason=x": 403, "GET /audit": 403} {
		method, rest, _ := strings.Cut(request, " ")
		if got := b.status(method, path+rest); got != want {
			t.Errorf("lisa: %s: %d, want %d", request, got, want)
		}
	}
}

// findsAndHears: a filter finds the recording; its page shades the pause where the sidecar
// has it, and plays; the sound is silent in the pause.
func (b *browser) findsAndHears(r index.Recording) {
	b.Helper()
	if rows := js[int](b, `document.querySelectorAll("table.list tbody tr").length`); rows != 2 {
		b.Errorf("%d recordings, want the two of acme", rows)
	}
	b.shoot("list")
	b.do(chromedp.SendKeys(`#user`, "alice\n"))
	b.until("the filter is in the address", `document.readyState == "complete" && location.search.includes("user=alice") && document.querySelectorAll("table.list tbody tr").length == 1`)
	b.do(chromedp.Click(`table.list tbody tr a`), chromedp.WaitVisible(`#player`))
	b.until("its page", `document.readyState == "complete" && location.pathname == "/recordings/%s"`, r.ID)
	s, err := recording.ReadSidecar(recording.SidecarPath(filepath.Join(b.spool, r.Path)))
	b.must(err)
	var want []recording.Span
	for _, span := range s.Spans {
		if span.State == recording.StatePaused && !span.Cause.Awaited() { // nobody paused a moment at the answer
			want = append(want, span)
		}
	}
	if len(want) != 1 {
		b.Fatalf("spans %+v", s.Spans)
	}
	shaded := js[[]float64](b, `[...document.querySelectorAll("rect.pause-back")].flatMap(r => {
		const all = r.ownerSVGElement.getBoundingClientRect(), one = r.getBoundingClientRect()
		return [(one.left - all.left) / all.width, one.width / all.width]})`)
	from, length := float64(want[0].FromMS)/float64(s.File.DurationMS), float64(want[0].ToMS-want[0].FromMS)/float64(s.File.DurationMS)
	if len(shaded) != 2 || shaded[0]-from > .005 || from-shaded[0] > .005 || shaded[1]-length > .005 || length-shaded[1] > .005 {
		b.Errorf("shaded %.3f, want [%.3f %.3f]", shaded, from, length)
	}
	if title := js[string](b, `document.querySelector("svg.spans title").textContent`); !strings.Contains(title, "alice") {
		b.Errorf("the pause is labelled %q", title)
	}
	if wave := js[int](b, `document.querySelector("[data-wave] img").naturalWidth`); wave == 0 {
		b.Error("no picture of the waveform")
	}
	b.shoot("recording")
	b.do(chromedp.Click(`[data-play]`))
	b.until("it plays", `document.querySelector("audio").currentTime > 0.5`)
	b.run(`document.querySelector("audio").pause()`)
	length0 := js[float64](b, `document.querySelector("audio").duration`)
	if want := float64(s.File.DurationMS) / 1000; length0-want > .05 || want-length0 > .05 {
		b.Errorf("it lasts %.3f s, want %.3f", length0, want)
	}
	b.isSilentIn("audio.wav", r, want[0])
	b.isSilentIn("audio.mp3", r, want[0])
}

// isSilentIn: what the browser decodes is as long as the sidecar says, silent in the pause,
// and not silent before it.
func (b *browser) isSilentIn(file string, r index.Recording, pause recording.Span) {
	b.Helper()
	got := js[[]float64](b, `(async () => {
		const bytes = await (await fetch("/api/v1/recordings/%s/%s")).arrayBuffer()
		const sound = await new OfflineAudioContext(2, 1, 48000).decodeAudioData(bytes)
		const loudest = (from, to) => { let most = 0
			for (let c = 0; c < sound.numberOfChannels; c++) for (const v of sound.getChannelData(c).subarray(from * 48, to * 48)) most = Math.max(most, Math.abs(v))
			return most }
		return [sound.duration * 1000, loudest(%d, %d), loudest(%d, %d)] })()`,
		r.ID, file, pause.FromMS+100, pause.ToMS-100, pause.FromMS-1000, pause.FromMS-100)
	b.Logf("%s: %.1f ms of %d; loudest %.5f in the pause, %.3f before it", file, got[0], r.DurationMS, got[1], got[2])
	if off := got[0] - float64(r.DurationMS); off > 50 || off < -50 {
		b.Errorf("%s lasts %.1f ms, want %d", file, got[0], r.DurationMS)
	}
	if got[1] > 1.5/32768 || got[2] < .05 {
		b.Errorf("%s: loudest %.5f in the pause, %.3f before it", file, got[1], got[2])
	}
}

// downloads: both files come with a name and their kind, and the audit log says so.
func (b *browser) downloads(r index.Recording) {
	b.Helper()
	for file, kind := range map[string]string{"audio.wav": "audio/", "audio.mp3": "audio/mpeg"} {
		got := js[[]string](b, `fetch("/api/v1/recordings/%s/%s?download=1").then(r => [String(r.status), r.headers.get("content-type"), r.headers.get("content-disposition")])`, r.ID, file)
		if got[0] != "200" || !strings.HasPrefix(got[1], kind) || !strings.HasPrefix(got[2], "attachment") {
			b.Errorf("%s: %q", file, got)
		}
	}
	b.do(chromedp.Navigate(b.base+"/audit"), chromedp.WaitVisible(`main table`))
	text := js[string](b, `document.querySelector("main").innerText`)
	for _, word := range []string{"anna", r.ID} {
		if !strings.Contains(text, word) {
			b.Errorf("the audit page does not say %q:\n%s", word, text)
		}
	}
	b.shoot("audit")
}

// switchesLive: a live call appears by itself; its button pauses it, and the lamp
// follows within a second; a press on the phone is seen, too.
func (b *browser) switchesLive() {
	b.Helper()
	b.run(`location.assign("/live")`)
	b.until("the page of live calls", `location.pathname == "/live" && document.readyState == "complete"`)
	leg, alice := b.call("+442079460001", "sales", "1001")
	row := fmt.Sprintf(`document.getElementById("call-%s")`, leg.UUID())
	b.until("the call is shown", "%s", row+` != null && `+row+`.dataset.state == "on"`)
	b.until("its user is known, who may pause", "%s", row+`.querySelector("button.act-pause") != null`)
	b.shoot("live")
	b.run(row + `.querySelector("button.act-pause").click()`)
	b.soon("the lamp says paused", row+`.dataset.state == "paused"`)
	if state := leg.Get("tapedeck_state"); state != "paused" {
		b.Errorf("the leg says %q", state)
	}
	b.shoot("live-paused")
	alice.PressDigits("*1")
	b.soon("the lamp says on", row+`.dataset.state == "on"`)
	leg.Hangup("")
	b.soon("the call is gone", row+` == null`)
}

// soon is until, and fails if it took more than a second.
func (b *browser) soon(what, expression string) {
	b.Helper()
	took := b.until(what, "%s", expression)
	b.Logf("%s after %v", what, took.Round(time.Millisecond))
	if took > time.Second {
		b.Errorf("%s after %v", what, took)
	}
}

// isRefused: a recording that one may not see does not exist, on any page and in the API.
func (b *browser) isRefused(r index.Recording) {
	b.Helper()
	for _, path := range []string{"/recordings/" + r.ID, "/recordings/" + r.ID + "/delete", "/api/v1/recordings/" + r.ID, "/api/v1/recordings/" + r.ID + "/audio.wav",
		"/api/v1/recordings/" + r.ID + "/audio.mp3", "/api/v1/recordings/" + r.ID + "/waveform.svg"} {
		if got := b.status(http.MethodGet, path); got != http.StatusNotFound {
			b.Errorf("%s: %d, want 404", path, got)
		}
	}
	if got := b.status(http.MethodDelete, "/api/v1/recordings/"+r.ID+"?reason=x"); got != http.StatusNotFound {
		b.Errorf("delete: %d, want 404", got)
	}
	b.do(chromedp.Navigate(b.base + "/recordings/" + r.ID))
	b.shoot("not-found")
	b.do(chromedp.Navigate(b.base + "/"))
}
