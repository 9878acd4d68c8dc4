package query

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"tapedeck/console/ops"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// Filters are the filters of a list of recordings, as an address names them.
var Filters = []string{"organisation", "from", "to", "number", "user", "group", "trigger", "problems", "q"}

// Recordings reads a query of recordings: the filters, limit and cursor. A day is
// one of the zone; a moment in `to` is excluded, a day in it included. It ignores
// other values. The errors are for whoever asked.
func Recordings(values url.Values, p *flow.Policy, zone *time.Location) (index.Query, error) {
	f := Form{Values: values}
	q := index.Query{
		Organisations: f.List("organisation"),
		From:          f.Time("from", zone, 0),
		To:            f.Time("to", zone, 1),
		Number:        telephone(p, f.Text("number")),
		User:          f.Text("user"),
		Group:         f.Text("group"),
		Trigger:       f.OneOf("trigger", recording.TriggerAutomatic, recording.TriggerOnDemand),
		OnlyProblems:  f.OneOf("problems", "0", "1") == "1",
		Text:          strings.TrimSpace(f.Text("q")),
		Limit:         int(f.Number("limit", 1, maxLimit)),
	}
	q.Before = f.Cursor("cursor")
	if f.Err == nil && !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		f.refuse("to: it is not after from")
	}
	return q, f.Err
}

// OnlyFilters returns the filters alone, as a link to the same recordings has them.
func OnlyFilters(values url.Values) url.Values {
	kept := url.Values{}
	for _, name := range Filters {
		for _, value := range values[name] {
			if value != "" {
				kept.Add(name, value)
			}
		}
	}
	return kept
}

// telephone is a number as recordings have it, if it can be read as one. A
// plus that was not escaped in an address has become a space.
func telephone(p *flow.Policy, text string) string {
	if trimmed := strings.TrimSpace(text); trimmed != text && strings.HasPrefix(text, " ") {
		if e164, ok := p.Normalise("+" + trimmed); ok {
			return e164
		}
	}
	if e164, ok := p.Normalise(text); ok {
		return e164
	}
	return strings.TrimSpace(text)
}

// List reads the query of a request for a list, and refuses values other than the
// filters and these others. Days are those of UTC.
func List(r *http.Request, p *flow.Policy, others ...string) (url.Values, index.Query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, index.Query{}, ops.BadRequest("the address cannot be read: %v", err)
	}
	f := Form{Values: values}
	f.Known(append(others, Filters...)...)
	if f.Err != nil {
		return nil, index.Query{}, f.Err
	}
	q, err := Recordings(values, p, time.UTC)
	return values, q, err
}
