package web

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// filterForm has the list's filters as the address and the form hold them. The
// dates are days in the reader's zone, both included. Period is the key of one of
// periods: an address that is opened on another day shows that day's period.
type filterForm struct {
	Text, Organisation, Number, User, Group, Trigger string
	Problems                                         bool
	Period, From, To                                 string
	Cursor                                           string
	Back                                             []string // cursors of the pages before; firstPage for the first
}

// period is a number of days that end today, or some days ago.
type period struct {
	Key, Words string
	days, skip int // how many days, and how many days before today the last one is
}

var periods = []period{
	{"today", "Today", 1, 0},
	{"yesterday", "Yesterday", 1, 1},
	{"7d", "7 days", 7, 0},
	{"30d", "30 days", 30, 0},
	{"90d", "90 days", 90, 0},
}

// maxBack is how many pages a visitor can step back; further back there is only the
// first page.
const maxBack = 24

// firstPage stands for the first page's cursor, which is empty.
const firstPage = "-"

func readFilterForm(v url.Values) filterForm {
	text := func(name string) string { return strings.TrimSpace(v.Get(name)) }
	f := filterForm{
		Text: text("q"), Organisation: text("organisation"), Number: text("number"), User: text("user"), Group: text("group"),
		Trigger: text("trigger"), Problems: text("problems") != "" && text("problems") != "0",
		Period: text("period"), From: text("from"), To: text("to"), Cursor: text("cursor"),
	}
	if back := text("back"); back != "" {
		f.Back = strings.Split(back, ",")
	}
	if f.From != "" || f.To != "" || f.preset() == nil {
		f.Period = ""
	}
	return f
}

func (f filterForm) preset() *period {
	if i := slices.IndexFunc(periods, func(p period) bool { return p.Key == f.Period }); i >= 0 {
		return &periods[i]
	}
	return nil
}

// values returns the query of this view's address, without empty values.
func (f filterForm) values() url.Values {
	v := f.filters()
	setText(v, "period", f.Period)
	setText(v, "from", f.From)
	setText(v, "to", f.To)
	setText(v, "cursor", f.Cursor)
	setText(v, "back", strings.Join(f.Back, ","))
	return v
}

func (f filterForm) filters() url.Values {
	v := url.Values{}
	setText(v, "q", f.Text)
	setText(v, "organisation", f.Organisation)
	setText(v, "number", f.Number)
	setText(v, "user", f.User)
	setText(v, "group", f.Group)
	setText(v, "trigger", f.Trigger)
	if f.Problems {
		v.Set("problems", "1")
	}
	return v
}

func setText(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

// query returns the same filters as the API names them, without the cursor.
func (f filterForm) query(rd reader) url.Values {
	v := f.filters()
	from, to := f.From, f.To
	if p := f.preset(); p != nil {
		today := rd.startOfDay(rd.now)
		from = today.AddDate(0, 0, 1-p.days-p.skip).Format(time.RFC3339)
		to = today.AddDate(0, 0, 1-p.skip).Format(time.RFC3339)
	}
	setText(v, "from", rd.edge(from, 0))
	setText(v, "to", rd.edge(to, 1))
	return v
}

// edge returns midnight of a day, some days later, as a time. It returns a text that
// is no day as it is: query.Form refuses it.
func (rd reader) edge(text string, later int) string {
	day, err := time.ParseInLocation(time.DateOnly, text, rd.zone)
	if err != nil {
		return text
	}
	return day.AddDate(0, 0, later).Format(time.RFC3339)
}

// address returns the address of this view.
func (f filterForm) address() string { return pageAddress("/", f.values()) }

// first returns the first page of the same view.
func (f filterForm) first() filterForm {
	f.Cursor, f.Back = "", nil
	return f
}

// older returns the page that begins after a cursor.
func (f filterForm) older(cursor string) filterForm {
	here := f.Cursor
	if here == "" {
		here = firstPage
	}
	f.Back = append(slices.Clone(f.Back), here)
	f.Back = f.Back[max(0, len(f.Back)-maxBack):]
	f.Cursor = cursor
	return f
}

// newer returns the page before this one; not ok if it is not known.
func (f filterForm) newer() (filterForm, bool) {
	n := len(f.Back)
	if n == 0 {
		return f, false
	}
	f.Cursor, f.Back = f.Back[n-1], f.Back[:n-1]
	if f.Cursor == firstPage {
		f.Cursor = ""
	}
	return f, true
}

// chip is a filter that is set, and the address of the view without it.
type chip struct{ Name, Value, Without string }

func (f filterForm) chips() []chip {
	var chips []chip
	add := func(name, value string, empty func(*filterForm)) {
		if value != "" {
			without := f.first()
			empty(&without)
			chips = append(chips, chip{name, value, without.address()})
		}
	}
	if p := f.preset(); p != nil {
		add("Period", p.Words, func(g *filterForm) { g.Period = "" })
	}
	add("From", f.From, func(g *filterForm) { g.From = "" })
	add("To", f.To, func(g *filterForm) { g.To = "" })
	add("Search", f.Text, func(g *filterForm) { g.Text = "" })
	add("Organisation", f.Organisation, func(g *filterForm) { g.Organisation = "" })
	add("Number", f.Number, func(g *filterForm) { g.Number = "" })
	add("User", f.User, func(g *filterForm) { g.User = "" })
	add("Group", f.Group, func(g *filterForm) { g.Group = "" })
	add("Trigger", triggerWords[f.Trigger], func(g *filterForm) { g.Trigger = "" })
	if f.Problems {
		add("Only", "with problems", func(g *filterForm) { g.Problems = false })
	}
	return chips
}

// choice is a link to one of several views.
type choice struct {
	Words, Href string
	Chosen      bool
}

// presets returns the periods as links that keep the other filters.
func (f filterForm) presets() []choice {
	without := f.first()
	without.Period, without.From, without.To = "", "", ""
	all := []choice{{"All", without.address(), f.Period == "" && f.From == "" && f.To == ""}}
	for _, p := range periods {
		with := without
		with.Period = p.Key
		all = append(all, choice{p.Words, with.address(), f.Period == p.Key})
	}
	return all
}
