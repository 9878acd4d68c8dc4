package web_test

import (
	"archive/zip"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/web"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// links returns the addresses on a page that match a pattern.
func links(page, pattern string) (all []string) {
	for _, m := range regexp.MustCompile(`(?:href|action)="(`+pattern+`)"`).FindAllStringSubmatch(page, -1) {
		all = append(all, html.UnescapeString(m[1]))
	}
	return all
}

// listed returns the addresses of the recordings that a page of the list shows.
func listed(page string) []string { return links(page, `/recordings/[0-9a-f-]+(?:\.part\d+)?`) }

// filledLab returns a lab with so many recordings and some live calls, and the id of the
// newest recording.
func filledLab(t *testing.T, many int) (l *lab, id string) {
	t.Helper()
	calls := new(labCalls)
	l = newLab(t, func(c *console.Config) { c.Presser = calls })
	calls.l = l
	now := time.Now()
	id = l.fill(now, many)
	l.calls(now)
	return l, id
}

// TestListPages: paging shows every recording once, the newest first, and leads back.
func TestListPages(t *testing.T) {
	l, first := filledLab(t, 60)
	c := l.As("root")
	page := l.Page(c, "/", http.StatusOK)
	all := listed(page)
	if len(all) != web.PageRows || all[0] != web.RecordingAddress(first) {
		t.Fatalf("%d recordings, the first %s", len(all), all[0])
	}
	older := links(page, `/\?[^"]*cursor=[^"]*`)
	if len(older) != 1 || strings.Contains(page, "Newer") {
		t.Fatalf("%v", older)
	}
	second := l.Page(c, older[0], http.StatusOK)
	rest := listed(second)
	if len(rest) != 10 || slices.ContainsFunc(rest, func(id string) bool { return slices.Contains(all, id) }) {
		t.Errorf("the second page has %d: %v", len(rest), rest)
	}
	if !strings.Contains(second, `rel="prev" href="/"`) {
		t.Error("the second page does not lead back to the first")
	}
}

func TestListPageFilters(t *testing.T) {
	l, _ := filledLab(t, 60)
	c := l.As("anna")
	for query, want := range map[string]int{
		"": web.PageRows, "user=carol": 11, "trigger=on-demand": 7, "problems=1": 13, "number=%2B441632960077": 1, "number=01632+960077": 1,
		"q=carol": 11, "user=nobody": 0, "group=support": 0, "organisation=beta": 0, "from=2001-01-01&to=2001-01-02": 0,
	} {
		if got := len(listed(l.Page(c, web.PageAddress("/", mustQuery(t, query)), http.StatusOK))); got != want {
			t.Errorf("%s: %d recordings", query, got)
		}
	}
	res, _ := l.Get(c, "/?q=&number=&user=alice&group=")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/?user=alice" {
		t.Errorf("a form with empty fields: %d, %s", res.StatusCode, res.Header.Get("Location"))
	}
	page := l.Page(c, "/?from=2026-11-20&to=2026-11-01", http.StatusBadRequest)
	if !strings.Contains(page, "The first day is after the last one.") || !strings.Contains(page, `value="2026-11-20"`) {
		t.Error("the mistake is not said, or the form is lost")
	}
}

func mustQuery(t *testing.T, query string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCSVOfTheView: the CSV has the recordings of the view that links to it.
func TestCSVOfTheView(t *testing.T) {
	l, _ := filledLab(t, 60)
	c := l.As("anna")
	page := l.Page(c, "/?user=carol&period=90d", http.StatusOK)
	csv := links(page, `/recordings\.csv[^"]*`)
	if len(csv) != 1 {
		t.Fatal(csv)
	}
	res, text := l.Get(c, csv[0])
	if want := len(listed(page)) + 1; res.StatusCode != http.StatusOK || strings.Count(text, "\r\n") != want {
		t.Errorf("%d, %d lines, not %d", res.StatusCode, strings.Count(text, "\r\n"), want)
	}
}

// TestHostileNames: every name that a caller may send is shown as text.
func TestHostileNames(t *testing.T) {
	l, _ := filledLab(t, 60)
	c := l.As("root")
	l.auditSome(time.Now(), labID(0))
	paths := []string{"/", "/live", "/audit", "/?q=" + url.QueryEscape(hostile[0]), "/nothing/" + url.PathEscape(hostile[0])}
	for n := range 60 {
		paths = append(paths, web.RecordingAddress(labID(n)), web.RecordingAddress(labID(n))+"/delete")
	}
	shown := false
	for _, path := range paths {
		_, page := l.Get(c, path)
		shown = shown || strings.Contains(page, "&lt;script&gt;alert")
		if strings.Contains(page, "<script>") || strings.Contains(page, "<img src=x") {
			t.Errorf("%s has a caller's markup in it", path)
		}
	}
	if !shown {
		t.Error("no page showed one of them")
	}
}

// TestPagesFor: a page does not offer what an account may not do, and refuses it.
func TestPagesFor(t *testing.T) {
	l, id := filledLab(t, 10)
	at := web.RecordingAddress(id)
	for _, c := range []struct {
		account      string
		status       int // of the recording's page
		has, has_not []string
	}{
		{"anna", 200, []string{"<audio", "audio.mp3", at + "/delete", at + "/hold", "/audit"}, []string{"/release"}},
		{"lisa", 200, []string{"<audio"}, []string{"audio.mp3", "/delete", "/hold", `href="/audit"`}},
		{"alice", 200, []string{"<audio"}, []string{"audio.mp3", "/delete", "/hold", `href="/audit"`}},
		{"eve", 404, []string{"Not found"}, []string{"acme", "alice"}},
	} {
		page := l.Page(l.As(c.account), at, c.status)
		for _, text := range c.has {
			if !strings.Contains(page, text) {
				t.Errorf("%s is not shown %s", c.account, text)
			}
		}
		for _, text := range c.has_not {
			if strings.Contains(page, text) {
				t.Errorf("%s is shown %s", c.account, text)
			}
		}
	}
	for _, path := range []string{"/delete", "/hold", "/release"} {
		for account, want := range map[string]int{"lisa": http.StatusForbidden, "eve": http.StatusNotFound} {
			if res, _ := l.Post(l.As(account), at+path, url.Values{"reason": {"because"}}); res.StatusCode != want {
				t.Errorf("%s %s: %d", account, path, res.StatusCode)
			}
		}
	}
	l.Page(l.As("lisa"), at+"/delete", http.StatusForbidden)
	l.Page(l.As("lisa"), "/audit", http.StatusForbidden)
	if res, _ := l.Get(l.Client(), at); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/sign-in?next="+url.QueryEscape(at) {
		t.Errorf("a stranger: %d, %s", res.StatusCode, res.Header.Get("Location"))
	}
}

// TestLookingIsNotListening: the audit log says that somebody has listened only if
// somebody has.
func TestLookingIsNotListening(t *testing.T) {
	l, id := filledLab(t, 10)
	page := l.Page(l.As("anna"), web.RecordingAddress(id), http.StatusOK)
	if !strings.Contains(page, `preload="none"`) || strings.Contains(l.Audited(), audit.Listen) {
		t.Error("the page of a recording begins to play it")
	}
}

func TestHoldAndDelete(t *testing.T) {
	l, id := filledLab(t, 10)
	c, at := l.As("anna"), web.RecordingAddress(id)
	change := func(path, reason string, want int) string {
		t.Helper()
		res, page := l.Post(c, at+path, url.Values{"reason": {reason}})
		if res.StatusCode != want {
			t.Fatalf("%s: %d\n%.1500s", path, res.StatusCode, page)
		}
		return page
	}
	change("/hold", "", http.StatusBadRequest)
	change("/hold", "case <b>4711</b>", http.StatusSeeOther)
	if page := l.Page(c, at, http.StatusOK); !strings.Contains(page, "case &lt;b&gt;4711&lt;/b&gt;") || !strings.Contains(page, at+"/release") {
		t.Error("the hold is not shown")
	}
	if page := change("/delete", "old", http.StatusConflict); !strings.Contains(page, "Delete this recording?") || !strings.Contains(page, `value="old"`) {
		t.Error("what was typed is lost when it cannot be deleted")
	}
	change("/release", "", http.StatusSeeOther)
	change("/delete", " ", http.StatusBadRequest)
	l.Page(c, at+"/delete", http.StatusOK)
	res, _ := l.Post(c, at+"/delete", url.Values{"reason": {"the customer asked for it"}})
	if page := l.Page(c, res.Header.Get("Location"), http.StatusOK); res.StatusCode != http.StatusSeeOther || !strings.Contains(page, "The recording is deleted.") {
		t.Errorf("%d, then nothing is said of it", res.StatusCode)
	}
	if page := l.Page(c, "/", http.StatusOK); strings.Contains(page, "The recording is deleted.") {
		t.Error("it is said for ever")
	}
	l.Page(c, at, http.StatusNotFound)
	if log := l.Audited(); !strings.Contains(log, "the customer asked for it") {
		t.Error("the reason is not in the audit log")
	}
	res, _ = l.Post(c, web.RecordingAddress(labID(1))+"/delete", url.Values{"reason": {"x"}, "csrf": {"wrong"}})
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a forged form: %d", res.StatusCode)
	}
}

// TestHistory: the page of a recording says that nobody has listened to it only if the
// whole audit log was read. Otherwise it has a link to the older lines.
func TestHistory(t *testing.T) {
	l := newLab(t)
	one, other := l.put(plainRecording(1)), l.put(plainRecording(2))
	l.settled()
	c, at, nobody := l.As("anna"), web.RecordingAddress(one), "Nobody has listened"
	further := regexp.MustCompile(`back to <time[^>]*>2026-11-20 09:00</time>\. <a href="(/audit\?[^"]*)">What was done before`)
	if page := l.Page(c, at, http.StatusOK); !strings.Contains(page, nobody) || strings.Contains(page, "What was done before") {
		t.Error("nobody has, and the page does not say so")
	}
	line := func(id string) string {
		return `{"at":"2026-11-20T09:00:00Z","who":"anna","what":"listen","organisation":"acme","recording":"` + id + `","detail":"WAV"}` + "\n"
	}
	for _, after := range []struct {
		id string
		n  int
	}{{other, 17 << 20 / len(line(other))}, {one, web.HistoryRows}} {
		text := line(one) + strings.Repeat(line(after.id), after.n)
		if err := os.WriteFile(l.Audit.Path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		page := l.Page(c, at, http.StatusOK)
		link := further.FindStringSubmatch(page)
		if strings.Contains(page, nobody) || link == nil {
			t.Errorf("%d lines of %s later the page does not say that there may be more", after.n, after.id)
			continue
		}
		if page := l.Page(c, html.UnescapeString(link[1]), http.StatusOK); strings.Count(page, `href="`+at+`"`) != 1 {
			t.Errorf("what was done before %d lines of %s is not at %s", after.n, after.id, link[1])
		}
	}
	if page := l.Page(c, web.RecordingAddress(other), http.StatusOK); !strings.Contains(page, nobody) {
		t.Error("all was read, and the page does not say so")
	}
}

// TestHoldOfAnotherPart: a hold keeps every part of its call, and the page of each part
// says so. Only a visitor who may see the held part is told which one it is.
func TestHoldOfAnotherPart(t *testing.T) {
	l := newLab(t)
	first := l.put(plainRecording(1))
	two := plainRecording(1)
	two.side.Part, two.side.Previous, two.side.Users, two.groups = 2, first+".wav", []string{"carol"}, []string{"support"}
	at, held := web.RecordingAddress(l.put(two)), web.RecordingAddress(first)
	l.settled()
	asks := func(status int, method, path, body string) {
		t.Helper()
		if res, text := l.Do(l.Bearer("anna"), method, path, body, "Content-Type: application/json"); res.StatusCode != status {
			t.Errorf("%s %s: %d, want %d: %s", method, path, res.StatusCode, status, text)
		}
	}
	anna := l.As("anna")
	if page := l.Page(anna, at, http.StatusOK); !strings.Contains(page, at+"/delete") || strings.Contains(page, "is held") {
		t.Error("there is no hold, and the page says otherwise")
	}
	asks(http.StatusOK, "PUT", "/api/v1"+held+"/hold", `{"reason":"case 7"}`)
	page := l.Page(anna, at, http.StatusOK)
	for text, want := range map[string]bool{"None. It is kept as long as": false, at + "/delete": false, at + "/hold": true,
		"Another part of this call is held": true, `href="` + held + `">The part that is held`: true} {
		if strings.Contains(page, text) != want {
			t.Errorf("%q is in the page: %v, want %v", text, !want, want)
		}
	}
	l.Page(anna, at+"/delete", http.StatusConflict)
	l.Page(anna, held+"/delete", http.StatusConflict)
	asks(http.StatusConflict, "DELETE", "/api/v1"+at+"?reason=old", "")
	asks(http.StatusNoContent, "DELETE", "/api/v1"+held+"/hold", "")
	asks(http.StatusOK, "PUT", "/api/v1"+at+"/hold", `{"reason":"case 8"}`)
	page = l.Page(l.As("sue"), held, http.StatusOK)
	if !strings.Contains(page, "Another part of this call is held") || strings.Contains(page, "part2") || strings.Contains(page, "The part that is held") {
		t.Error("sue does not see the part, and has to know of the hold alone")
	}
}

// plainRecording is a recording of acme with alice, through the group sales.
func plainRecording(n int) labRecording {
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	return labRecording{groups: []string{"sales"}, long: 2 * time.Second, side: recording.Sidecar{Call: labID(n), Organisation: "acme",
		Direction: "inbound", External: "02079460999", Number: "+442079460001", Users: []string{"alice"}, Started: at, Answered: at,
		Trigger: "automatic", Decided: recording.Cause{Element: "number/+442079460001", Setting: "yes"},
		Trace: []recording.Note{{At: at, What: "entered", Element: "number/+442079460001", Setting: "yes"}}}}
}

func TestSelection(t *testing.T) {
	l, id := filledLab(t, 10)
	res, body := l.Post(l.As("anna"), "/recordings.zip", url.Values{"id": {id, labID(1)}})
	archive, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	if res.StatusCode != http.StatusOK || err != nil || len(archive.File) != 3 {
		t.Errorf("%d, %v", res.StatusCode, err)
	}
	if res, body := l.Post(l.As("anna"), "/recordings.zip", nil); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "Choose at least one recording") {
		t.Errorf("nothing chosen: %d", res.StatusCode)
	}
	if res, _ := l.Post(l.As("eve"), "/recordings.zip", url.Values{"id": {id}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else's: %d", res.StatusCode)
	}
}

func TestCheckTheFile(t *testing.T) {
	l, id := filledLab(t, 10)
	c := l.As("anna")
	if _, page := l.Post(c, web.RecordingAddress(id)+"/verify", nil); !strings.Contains(page, "The file is as it was recorded") {
		t.Errorf("%.3000s", page)
	}
	l.damage(id)
	if _, page := l.Post(c, web.RecordingAddress(id)+"/verify", nil); !strings.Contains(page, "The checksum is another one") {
		t.Errorf("%.3000s", page)
	}
}

func TestLiveButtons(t *testing.T) {
	l, _ := filledLab(t, 10)
	c := l.As("anna")
	at := "/live/" + labID(901)
	if page := l.Page(c, "/live", http.StatusOK); !strings.Contains(page, at) || !strings.Contains(page, `value="pause"`) || strings.Contains(page, "beta") {
		t.Errorf("%.3000s", page)
	}
	res, _ := l.Post(c, at, url.Values{"action": {"pause"}})
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/live#call-"+labID(901) {
		t.Fatalf("%d, %s", res.StatusCode, res.Header.Get("Location"))
	}
	l.settled()
	if page := l.Page(c, "/live", http.StatusOK); !regexp.MustCompile(`id="call-` + labID(901) + `" data-state="paused"`).MatchString(page) {
		t.Error("the lamp is not another one")
	}
	if res, page := l.Post(c, "/live/"+labID(905), url.Values{"action": {"pause"}}); res.StatusCode != http.StatusConflict || !strings.Contains(page, "The policy has locked") {
		t.Errorf("a locked one: %d", res.StatusCode)
	}
	if res, _ := l.Post(c, "/live/"+labID(940), url.Values{"action": {"resume"}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else's: %d", res.StatusCode)
	}
}

// TestNoLiveCalls: a visitor who does not see every call is not told that there is none.
func TestNoLiveCalls(t *testing.T) {
	l := newLab(t)
	for name, want := range map[string]string{"root": "No calls now", "sue": "No calls that you may see", "alice": "No calls that you may see"} {
		if page := l.Page(l.As(name), "/live", http.StatusOK); !strings.Contains(page, "<h2>"+want+"</h2>") {
			t.Errorf("%s is not told %q", name, want)
		}
	}
}

func TestAuditPage(t *testing.T) {
	l, id := filledLab(t, 10)
	l.auditSome(time.Now(), id)
	c := l.As("anna")
	rows := func(query string) int {
		t.Helper()
		return strings.Count(l.Page(c, web.PageAddress("/audit", mustQuery(t, query)), http.StatusOK), "<tr role=\"row\">") - 1
	}
	all := rows("")
	if listened := rows("what=listen"); all < len(web.AuditWords) || listened != 1 || rows("who=anna&recording="+id) < 5 || rows("who=nobody") > 0 {
		t.Errorf("%d lines, %d listened", all, listened)
	}
	page := l.Page(c, "/audit?from=2026-11-20&to=yesterday", http.StatusBadRequest)
	if !strings.Contains(page, "role=\"alert\"") {
		t.Error("the mistake is not said")
	}
}

// TestWrongPaths: a path that does not exist is answered with a page for its visitor.
func TestWrongPaths(t *testing.T) {
	l, _ := filledLab(t, 10)
	c := l.As("anna")
	for path, want := range map[string]int{"/nothing": 404, "/recordings/": 404, "/recordings/%2e%2e%2fetc": 404, "/recordings/nothing": 404, "/static/x": 404, "/live/nothing": 404} {
		res, page := l.Get(c, path)
		if res.StatusCode != want || path != "/static/x" && (!strings.Contains(page, "Not found") || !strings.Contains(page, `href="/live"`)) {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

// TestAssets: the static files that a page refers to exist, may be cached for ever, and
// need no account.
func TestAssets(t *testing.T) {
	l := newLab(t)
	res, page := l.Get(l.Client(), "/sign-in")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("sign-in: %d", res.StatusCode)
	}
	found := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(found) != 3 {
		t.Fatalf("the page refers to %v", found)
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, m := range found {
		res, body := l.Get(l.Client(), m[1])
		if res.StatusCode != http.StatusOK || body == "" || res.Header.Get("Content-Type") != kinds[filepath.Ext(m[1])] ||
			!strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %d bytes, %v", m[1], res.StatusCode, len(body), res.Header)
		}
		again, body := l.Do(l.Client(), http.MethodGet, m[1], "", "If-None-Match: "+res.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s again: %d, %d bytes", m[1], again.StatusCode, len(body))
		}
	}
	for _, name := range []string{"tapedeck.css", "..%2fweb.go", "templates/list.html"} {
		if res, _ := l.Get(l.Client(), "/static/"+name); res.StatusCode == http.StatusOK {
			t.Errorf("/static/%s is given", name)
		}
	}
}
