package web_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tapedeck/console/consoletest"
	"tapedeck/console/web"
)

// TestWithoutScript does everything that the pages are for with a browser that runs no
// script.
func TestWithoutScript(t *testing.T) {
	browserTest(t)
	l, id := filledLab(t, 60)
	ctx := browser(t, chromedp.Flag("blink-settings", "scriptEnabled=false"))
	at := web.RecordingAddress(id)
	rows := `document.querySelectorAll(".list tbody tr").length`
	location := func(want string) browserStep {
		return holds(`document.readyState === "complete" && location.pathname + location.search === "` + want + `"`)
	}

	browse(t, ctx, "sign in", l.signedIn(""), chromedp.Navigate(l.URL+"/"), location("/sign-in?next=%2F"),
		chromedp.SendKeys(css("#name"), "anna"), chromedp.SendKeys(css("#password"), consoletest.Password+kb.Enter), location("/"),
		says(`document.querySelector("[data-pick-all]").hidden`, true))
	browse(t, ctx, "filters", chromedp.SendKeys(css("#user"), "carol"+kb.Enter), location("/?user=carol"), says(rows, 11),
		chromedp.Click(css(".chip a")), location("/"),
		chromedp.Click(css(".more summary")), chromedp.SendKeys(css("#trigger"), "On demand"), chromedp.Click(css(".f-go button")), location("/?trigger=on-demand"),
		chromedp.Click(css(".segments a:nth-child(5)")), location("/?period=30d&trigger=on-demand"))
	browse(t, ctx, "paging", chromedp.Navigate(l.URL+"/?q=02"), chromedp.Navigate(l.URL+"/"), says(rows, web.PageRows), chromedp.Click(css("a[rel=next]")), holds(rows+` < 5 && document.querySelector("a[rel=prev]")`),
		chromedp.Click(css("a[rel=prev]")), location("/"))
	browse(t, ctx, "open", chromedp.Click(css(".c-when a")), location(at), says(`document.querySelectorAll(".steps li").length`, 14),
		says(`document.querySelector("[data-controls]").hidden`, true), says(`document.querySelectorAll("audio[controls]").length`, 1),
		chromedp.Click(css(".trace summary")), says(`document.querySelector(".trace").open`, true))
	browse(t, ctx, "hold", chromedp.SendKeys(css("#hold-reason"), "case 1"+kb.Enter), holds(`document.querySelector(".held")`),
		chromedp.Click(css("form[action$=release] button")), holds(`document.querySelector("#hold-reason")`))
	browse(t, ctx, "check", chromedp.Click(css("form[action$=verify] button")), holds(`document.querySelector("[role=status]")`))
	browse(t, ctx, "delete", chromedp.Navigate(l.URL+at), chromedp.Click(css(".danger-quiet")), location(at+"/delete"),
		chromedp.SendKeys(css("#reason"), "asked for"), chromedp.Click(css(".danger")), location("/?notice=deleted"))
	l.settled() // the index follows a little later
	browse(t, ctx, "deleted", chromedp.Navigate(l.URL+"/"), says(`document.querySelector("a[href='`+at+`']") === null`, true))
	browse(t, ctx, "live", chromedp.Click(css(`nav a[href="/live"]`)), location("/live"),
		chromedp.Click(css(`#call-`+labID(901)+` button`)), holds(`document.querySelector("#call-`+labID(901)+`").dataset.state === "paused"`))
	browse(t, ctx, "sign out", chromedp.Click(css(".who summary")), chromedp.Click(css(".who-menu button")), location("/sign-in"))
	if log := l.Audited(); !strings.Contains(log, "asked for") || !strings.Contains(log, "case 1") {
		t.Error("what was done is not in the audit log")
	}
}
