package web_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tapedeck/console"
	"tapedeck/console/web"
)

var screensDir = flag.String("console.screens", "", "folder into which TestScreens puts pictures of every page")

// screen is a page of which a picture is made.
type screen struct{ name, account, path, click, then string }

// TestScreens makes pictures of every page for a person to look at, and fails if a page
// is wider than its window:
//
//	go test ./console -run TestScreens -console.screens /tmp/screens
func TestScreens(t *testing.T) {
	if *screensDir == "" {
		t.Skip("no folder: -console.screens DIR")
	}
	if err := os.MkdirAll(*screensDir, 0o755); err != nil {
		t.Fatal(err)
	}
	var calls labCalls
	l := newLab(t, func(c *console.Config) { c.Presser = &calls })
	calls.l = l
	now := time.Now()
	id := l.fill(now, 60)
	l.calls(now)
	l.auditSome(now, id)
	ctx := browser(t)
	for _, shot := range []screen{
		{"list", "root", "/", "", ""},
		{"list-one-organisation", "anna", "/", "", ""},
		{"list-filtered", "anna", "/?user=alice&trigger=on-demand&period=90d", "", ""},
		{"list-nothing", "anna", "/?q=%3Cscript%3Ealert(1)%3C/script%3E&problems=1", "", ""},
		{"list-wrong-filter", "anna", "/?from=2026-11-20&to=2026-11-01", "", ""},
		{"list-older", "root", "/", `a[rel=next]`, `document.querySelector("a[rel=prev]")`},
		{"list-empty", "north", "/?period=today&number=1", "", ""},
		{"recording", "anna", web.RecordingAddress(id), "", ""},
		{"recording-problems", "anna", web.RecordingAddress(labID(4)), "", ""},
		{"recording-no-file", "anna", web.RecordingAddress(labID(6)), "", ""},
		{"recording-held", "anna", web.RecordingAddress(labID(5)), "", ""},
		{"recording-hostile", "anna", web.RecordingAddress(labID(3)), "", ""},
		{"recording-user", "alice", web.RecordingAddress(id), "", ""},
		{"recording-menu", "anna", web.RecordingAddress(id), `.who summary`, `document.querySelector(".who").open`},
		{"recording-checked", "anna", web.RecordingAddress(id), `form[action$=verify] button`, `document.querySelector("[role=status]")`},
		{"recording-trace", "anna", web.RecordingAddress(id), `.trace summary`, `document.querySelector(".trace").open`},
		{"list-deleted", "anna", "/?notice=deleted", "", ""},
		{"delete", "anna", web.RecordingAddress(id) + "/delete", "", ""},
		{"live", "root", "/live", "", ""},
		{"live-user", "alice", "/live", "", ""},
		{"live-nothing", "sue", "/live", "", ""},
		{"audit", "root", "/audit", "", ""},
		{"audit-nothing", "anna", "/audit?who=nobody", "", ""},
		{"error-404", "anna", "/recordings/nothing", "", ""},
		{"error-403", "alice", "/audit", "", ""},
		{"sign-in", "", "/sign-in", "", ""},
	} {
		for _, width := range []int64{1280, 360} {
			for _, scheme := range []string{"light", "dark"} {
				name := fmt.Sprintf("%s-%d-%s", shot.name, width, scheme)
				steps := []browserStep{l.signedIn(shot.account), lookAs(width, scheme), chromedp.Navigate(l.URL + shot.path)}
				if shot.click != "" {
					steps = append(steps, chromedp.Click(chromedp.CSS(shot.click)), holds(shot.then))
				}
				browse(t, ctx, name, append(steps, notWide(t, name), saved(filepath.Join(*screensDir, name+".png")))...)
			}
		}
	}
}

// TestNarrowWindow: on a phone no word of the trace or of the history is broken, and
// a live call's time stands beside its lamp.
func TestNarrowWindow(t *testing.T) {
	l, id := filledLab(t, 10)
	l.auditSome(time.Now(), id)
	whole := func(what string) browserStep {
		return holds(`((words) => words.length > 5 && words.every(e => {
			const range = document.createRange()
			return [...e.textContent.matchAll(/[a-z_]+/g)].every(m => {
				range.setStart(e, m.index), range.setEnd(e, m.index + m[0].length)
				return range.getClientRects().length == 1
			})
		}))((root => {
			const all = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
			while (walker.nextNode()) all.push(walker.currentNode)
			return all
		})(document.querySelector("` + what + `")))`)
	}
	browse(t, browser(t), "a phone", l.signedIn("anna"), lookAs(360, "light"),
		chromedp.Navigate(l.URL+web.RecordingAddress(id)), chromedp.Click(chromedp.CSS(".trace summary")), whole(".trace tbody"),
		whole("[aria-labelledby=h-history] tbody"), chromedp.Navigate(l.URL+"/live"),
		holds(`[...document.querySelectorAll(".live .c-lamp")].every(e => {
			const middle = q => { const r = e.querySelector(q).getBoundingClientRect(); return r.top + r.height / 2 }
			return Math.abs(middle(".lamp") - middle(".since")) < 1
		})`))
}
