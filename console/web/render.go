package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"tapedeck/console/access"
	"tapedeck/console/identity"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates has the templates of the pages, and the static files.
type templates struct {
	assets assets
	pages  map[string]*template.Template // by name: list, recording…
}

// frame is what the layout of every page shows.
type frame struct {
	Tab     string // which part of the console: recordings, live or audit
	Account *accountView
	CSRF    string
	Zone    string
	Data    any
}

// accountView is who has signed in.
type accountView struct {
	Name, Scope string
	Audit       bool
}

// tabs says which part of the console a page belongs to.
var tabs = map[string]string{
	"list": "recordings", "recording": "recordings", "delete": "recordings",
	"live": "live", "audit": "audit",
}

// newTemplates parses the templates: each page together with layout and parts.
func newTemplates() (*templates, error) {
	files, err := readAssets()
	if err != nil {
		return nil, err
	}
	p := &templates{files, map[string]*template.Template{}}
	funcs := template.FuncMap{"asset": files.address, "icon": icon, "tel": telephone}
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("console: templates: %w", err)
	}
	for _, entry := range names {
		name := strings.TrimSuffix(entry.Name(), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := template.New("layout.html").Funcs(funcs).
			ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("console: templates: %w", err)
		}
		p.pages[name] = t
	}
	return p, nil
}

// address returns the address of a file below static.
func (a assets) address(name string) (string, error) {
	if at, ok := a.addresses[name]; ok {
		return at, nil
	}
	return "", fmt.Errorf("there is no file %s", name)
}

// render answers with a page. It writes nothing until the page is whole. v is
// nil if it is not known who asks.
func (s *Pages) render(w http.ResponseWriter, r *http.Request, v *identity.Visit, status int, name string, data any) error {
	page, ok := s.templates.pages[name]
	if !ok {
		return fmt.Errorf("console: there is no page %q", name)
	}
	f := frame{Tab: tabs[name], Zone: readerOf(r, time.Now()).zoneName(), Data: data}
	if v != nil {
		f.Account = &accountView{v.Account.Name, v.Account.Scope(), v.Account.May(access.Audit)}
		f.CSRF = v.CSRF()
	}
	var body bytes.Buffer
	if err := page.Execute(&body, f); err != nil {
		return fmt.Errorf("console: page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = body.WriteTo(w) // a browser that has left needs no answer
	}
	return nil
}

// icon returns one of the layout's pictures. Screen readers skip it and read the
// words beside it.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon i-` + template.HTMLEscapeString(name) + `" aria-hidden="true"><use href="#i-` + template.HTMLEscapeString(name) + `"/></svg>`)
}

// telephone shows an E.164 number in groups that only the eye sees: copied text, and
// a search in the page, have the number without gaps. Another text is shown as it is.
func telephone(number string) template.HTML {
	if number == "" {
		return `<span class="none"><span aria-hidden="true">–</span><span class="hear">none</span></span>`
	}
	groups := telGroups(number)
	shown := `<bdi class="tel">`
	if len(groups) == 1 {
		shown = `<bdi>` // it may be any text, and long
	}
	for i, group := range groups {
		if i > 0 {
			shown += `<i></i>`
		}
		shown += template.HTMLEscapeString(group)
	}
	return template.HTML(shown + `</bdi>`)
}

// telGroups cuts a number into groups as its country writes them. A text that is no
// number stays whole.
func telGroups(number string) []string {
	if strings.HasPrefix(number, "+") && strings.Trim(number, "+0123456789") == "" {
		if n, err := phonenumbers.Parse(number, ""); err == nil {
			groups := strings.Fields(strings.ReplaceAll(phonenumbers.Format(n, phonenumbers.INTERNATIONAL), "-", " "))
			if strings.Join(groups, "") == number {
				return groups
			}
		}
	}
	return []string{number}
}
