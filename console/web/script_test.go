package web_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tapedeck/console/web"
	"tapedeck/recording/audit"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// browserTest skips the test if -short is set.
func browserTest(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time: not with -short")
	}
}

// says fails if an expression does not have the value.
func says[T comparable](expression string, want T) browserStep {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for {
			got, err := chromedp.Evaluate[T](expression)(ctx, t)
			if err == nil && got == want {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: %v, not %v: %v", expression, got, want, err)
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

// press sends keys to the element that has the focus.
func press(keys string) browserStep { return chromedp.KeyEvent(keys) }

const player = `document.querySelector("#player")`
const audio = `document.querySelector("audio")`

// TestPlayer: a click on the waveform moves the player, and so do keys while the player
// has the focus.
func TestPlayer(t *testing.T) {
	browserTest(t)
	l, id := filledLab(t, 1)
	ctx := browser(t)
	browse(t, ctx, "player", l.signedIn("anna"), lookAs(1280, "light"), chromedp.Navigate(l.URL+web.RecordingAddress(id)),
		says(`document.querySelector("[data-controls]").hidden`, false),
		says(`document.querySelectorAll(".spans rect.pause-back").length`, 3),
		// The boxes are where the sidecar has the pauses: 12.04 to 20.01 of 62 seconds.
		says(`(() => { const w = document.querySelector("[data-wave]").getBoundingClientRect(), b = document.querySelector(".pause-back").getBoundingClientRect();
			return Math.abs((b.left - w.left) / w.width - 12.04 / 62) < 0.002 && Math.abs((b.right - w.left) / w.width - 20.01 / 62) < 0.002 })()`, true),
		press("j"), press("l"), press("k"), says(audio+`.paused && `+audio+`.currentTime === 0`, true),
		chromedp.Click(css("[data-jump='10']")), holds(audio+`.currentTime === 10`),
		chromedp.Focus(css("#player")), press(kb.ArrowRight), holds(audio+`.currentTime === 15`),
		press("l"), holds(audio+`.currentTime === 25`), press("j"), press(kb.ArrowLeft), holds(audio+`.currentTime === 10`),
		press(" "), holds(audio+`.currentTime > 10.2 && !`+audio+`.paused`), says(`document.querySelector("[data-play] span").textContent`, "Pause"),
		press("k"), holds(audio+`.paused`),
		runs(`const w = document.querySelector("[data-wave]"), b = w.getBoundingClientRect();
			w.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: b.left + b.width / 2, clientY: b.top + 20 }))`),
		holds(`Math.abs(`+audio+`.currentTime - 31) < 0.1`),
		chromedp.Click(css("button.go")), holds(`Math.abs(`+audio+`.currentTime - 12) < 0.01`), says(`document.activeElement === `+player, true),
		runs(`document.querySelector("[data-speed]").value = "2"; document.querySelector("[data-speed]").dispatchEvent(new Event("change"))`),
		says(audio+`.playbackRate`, 2.0),
	)
	if !strings.Contains(l.Audited(), audit.Listen) {
		t.Error("nobody is said to have listened")
	}
}

// TestTabs: the tab key goes to the skip link first, and every element that it reaches
// has a name and is visible.
func TestTabs(t *testing.T) {
	browserTest(t)
	l, id := filledLab(t, 10)
	ctx := browser(t)
	for _, path := range []string{"/", web.RecordingAddress(id), "/live", "/audit", web.RecordingAddress(id) + "/delete"} {
		steps := []browserStep{l.signedIn("anna"), lookAs(1280, "light"), chromedp.Navigate(l.URL + path),
			press(kb.Tab), says(`document.activeElement.className`, "skip")}
		browse(t, ctx, path, steps...)
		seen := map[string]bool{}
		for range 40 {
			browse(t, ctx, path, press(kb.Tab), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
				stop, err := chromedp.Evaluate[string](`(() => { const e = document.activeElement, b = e.getBoundingClientRect();
					if (e === document.body) return "";
					const name = e.getAttribute("aria-label") || e.textContent.trim() || [...(e.labels || [])].map(l => l.textContent.trim()).join(" ");
					const ring = getComputedStyle(e).outlineStyle;
					return (name ? "" : "no name: ") + (b.width > 0 ? "" : "not to be seen: ") + (ring === "none" ? "no ring: " : "") + e.outerHTML.slice(0, 120) })()`)(ctx, target)
				for _, wrong := range []string{"no name", "not to be seen", "no ring"} {
					if strings.Contains(stop, wrong+": ") && !strings.Contains(stop, "<audio") {
						t.Errorf("%s: %s", path, stop)
					}
				}
				seen[stop] = true
				return err
			}))
		}
		if len(seen) < 10 {
			t.Errorf("%s: %d stops", path, len(seen))
		}
	}
}

// TestZone: times are in the browser's zone: first the script changes them, from the next
// page on the server writes them so.
func TestZone(t *testing.T) {
	browserTest(t)
	t.Setenv("TZ", "Asia/Kolkata")
	l, _ := filledLab(t, 2)
	ctx := browser(t)
	text := `document.querySelector(".list time").textContent`
	want := func() string {
		found, _, err := l.Store.Index.Search(t.Context(), index.Query{Limit: 1})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		zone, err := time.LoadLocation("Asia/Kolkata")
		if err != nil {
			t.Fatal(err)
		}
		return found[0].Started.In(zone).Format("2006-01-02 15:04:05")
	}()
	browse(t, ctx, "zone", l.signedIn("anna"), chromedp.Navigate(l.URL+"/"),
		says(`document.documentElement.dataset.zone`, "UTC"), says(text, want), says(`document.querySelector("[data-zone-name]").textContent.replace("Calcutta", "Kolkata")`, "Asia/Kolkata"),
		chromedp.Navigate(l.URL+"/"), says(`document.documentElement.dataset.zone.replace("Calcutta", "Kolkata")`, "Asia/Kolkata"), says(text, want))
}

// TestLivePage: a lamp changes within a second after its call, and after its button was
// pressed.
func TestLivePage(t *testing.T) {
	browserTest(t)
	l, _ := filledLab(t, 1)
	ctx := browser(t)
	row := func(n int) string { return `document.getElementById("call-` + labID(n) + `")` }
	browse(t, ctx, "live", l.signedIn("anna"), chromedp.Navigate(l.URL+"/live"), says(row(901)+`.dataset.state`, "on"),
		says(`document.querySelectorAll("[data-live-rows] tr").length`, 5),
		runs(row(901)+`.querySelector("button").focus()`), press(kb.Enter), holds(row(901)+`.dataset.state === "paused"`),
		says(row(901)+`.querySelector(".lamp-words").textContent`, "Paused"), says(`document.activeElement.value`, "resume"),
		says(`document.querySelector("[data-count=on]").textContent`, "1"),
		holds(`document.querySelector("[data-live-say]").textContent.includes("is paused now")`),
		says(`location.pathname`, "/live"))
	call := calls.Call{ID: labID(950), Organisation: "acme", Number: "+442079460001", External: hostile[0], State: calls.On, Started: time.Now(), Since: time.Now()}
	l.Store.Calls.Save(call)
	l.settled()
	begun := time.Now()
	browse(t, ctx, "a call begins", holds(row(950)+`?.dataset.state === "on"`), says(row(950)+`.querySelector(".c-outside").textContent`, hostile[0]))
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("a new call is shown after %v", took)
	}
	l.Store.Calls.End("acme", labID(950))
	l.settled()
	browse(t, ctx, "a call ends", holds(row(950)+` === null`))
	// A refused press: the page gives the reason, and nothing else changes.
	browse(t, ctx, "refused", runs(`const f = `+row(902)+`.querySelector("form"); f.dataset.switch = "`+labID(905)+`"; f.requestSubmit(f.querySelector("button"))`),
		holds(`!document.querySelector("[data-live-error]").hidden`),
		says(`document.querySelector("[data-live-error] span").textContent`, "The policy has locked this call's recording."))
}

// TestChoosing: one box chooses all recordings of a page, and the button says how many.
func TestChoosing(t *testing.T) {
	browserTest(t)
	l, _ := filledLab(t, 10)
	ctx := browser(t)
	words := `document.querySelector("[data-zip-words]").textContent`
	browse(t, ctx, "choosing", l.signedIn("anna"), chromedp.Navigate(l.URL+"/"),
		says(`document.querySelector("[data-zip]").disabled`, true), chromedp.Click(css("tbody input[name=id]")), says(words, "Download 1 as ZIP"),
		says(`document.querySelector("[data-pick-all]").indeterminate`, true),
		chromedp.Click(css("[data-pick-all]")), says(words, "Download 9 as ZIP"), chromedp.Click(css("[data-pick-all]")), says(`document.querySelector("[data-zip]").disabled`, true))
}

// TestNothingIsRefused: no page has anything that its Content-Security-Policy forbids,
// and none asks another host.
func TestNothingIsRefused(t *testing.T) {
	browserTest(t)
	l, id := filledLab(t, 1)
	l.auditSome(time.Now(), id)
	ctx := browser(t)
	host, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/sign-in", "/", web.RecordingAddress(id), "/live", "/audit", "/nothing"} {
		account := "anna"
		if path == "/sign-in" {
			account = ""
		}
		browse(t, ctx, path, l.signedIn(account), chromedp.Navigate(l.URL+path),
			says(`performance.getEntriesByType("resource").filter(e => new URL(e.name).host !== "`+host.Host+`").length`, 0),
			says(`getComputedStyle(document.querySelector(".bar")).display`, "flex"),
			says(`performance.getEntriesByType("resource").filter(e => e.responseStatus >= 400).map(e => e.name).join()`, ""))
	}
}
