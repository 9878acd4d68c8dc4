package recordings

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tapedeck/cmd/words"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
)

// Show prints everything that is known of a recording, for people.
func Show(ctx context.Context, d recording.Dir, id string, in *time.Location, stdout io.Writer) error {
	path, s, err := findRecording(ctx, d, id)
	if err != nil {
		return err
	}
	p := &page{Writer: tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0), in: in}
	p.facts(path, s)
	p.spans(s.Spans)
	p.trace(s.Trace)
	return p.Flush()
}

// ShowJSON prints the sidecar of a recording.
func ShowJSON(ctx context.Context, d recording.Dir, id string, stdout io.Writer) error {
	path, _, err := findRecording(ctx, d, id)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(recording.SidecarPath(path))
	if err != nil {
		return err
	}
	return printJSON(stdout, text)
}

// page writes a recording for people.
type page struct {
	*tabwriter.Writer
	in *time.Location
}

// line writes the columns of a line, without the empty ones at its end.
func (p *page) line(columns ...string) {
	for len(columns) > 1 && columns[len(columns)-1] == "" {
		columns = columns[:len(columns)-1]
	}
	for i, text := range columns {
		columns[i] = tidy.Text(text, maxLine)
	}
	fmt.Fprintln(p, strings.Join(columns, "\t"))
}

// maxLine is how many bytes of a text are printed. Paths and problems are shorter.
const maxLine = 2000

// fact writes a line, unless the value is empty.
func (p *page) fact(name, value string) {
	if value != "" {
		p.line(name, value)
	}
}

func (p *page) time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(p.in).Format("2006-01-02 15:04:05.000 MST")
}

func (p *page) facts(path string, s recording.Sidecar) {
	p.fact("recording", s.ID())
	p.fact("organisation", s.Organisation)
	p.fact("direction", s.Direction)
	p.fact("outside", s.External)
	p.fact("ours", s.Number)
	p.fact("users", strings.Join(s.Users, ", "))
	p.fact("started", p.time(s.Started))
	p.fact("answered", p.time(s.Answered))
	p.fact("ended", p.time(s.Ended))
	p.fact("trigger", s.Trigger)
	p.fact("asked by", s.RequestedBy)
	p.fact("decided by", why(s.Decided)+by(s.Decided))
	p.fact("switch", s.Switch)
	p.fact("leg", s.Anchor)
	p.file(path, s.File)
	p.fact("part before", s.Previous)
	p.fact("part after", s.Next)
	if s.Hold != nil {
		p.fact("hold", fmt.Sprintf("by %s since %s: %s", cmp.Or(s.Hold.By, "nobody"), p.time(s.Hold.At), s.Hold.Reason))
	}
	p.fact("complete", map[bool]string{true: "yes", false: "no"}[s.Complete])
	for _, problem := range s.Problems {
		p.fact("problem", problem)
	}
}

func (p *page) file(path string, f *recording.File) {
	if f == nil {
		p.fact("file", "none, it would be "+path)
		return
	}
	p.fact("file", path)
	p.fact("length", words.Position(f.DurationMS))
	channels := words.Count(f.Channels, "channel")
	if f.Mixed() {
		channels += " with both parties in each"
	}
	p.fact("sound", fmt.Sprintf("%s, %s, %d Hz", words.Size(f.Bytes), channels, f.Rate))
	p.fact("checksum", "SHA-256 "+f.SHA256)
	p.fact("written", p.time(f.Began)+" to "+cmp.Or(p.time(f.Stopped), "?"))
}

func (p *page) spans(spans []recording.Span) {
	if len(spans) == 0 {
		return
	}
	p.line("")
	p.line("FROM", "TO", "STATE", "WHY", "WHO")
	for _, s := range spans {
		reason := cmp.Or(why(s.Cause), "-")
		switch {
		case s.WaitedMS > 0:
			reason = "for " + words.Position(s.WaitedMS) + " that are not in the file"
		case s.State == recording.StateWaiting, s.State == recording.StatePaused && s.Cause.Awaited():
			reason = "until it was known who answered"
		}
		p.line(words.Position(s.FromMS), words.Position(s.ToMS), s.State, reason, cmp.Or(s.Cause.User, "-"))
	}
}

// why returns the element that decided and its setting, or the method of a press.
func why(c recording.Cause) string {
	if c.Toggle != "" {
		return c.Toggle
	}
	return strings.TrimSpace(c.Element + " " + c.Setting)
}

func by(c recording.Cause) string {
	if c.User == "" {
		return ""
	}
	return " by " + c.User
}

func (p *page) trace(trace []recording.Note) {
	if len(trace) == 0 {
		return
	}
	p.line("")
	p.line("AT", "WHAT", "DETAIL")
	notes := slices.Clone(trace)
	slices.SortStableFunc(notes, func(a, b recording.Note) int { return a.At.Compare(b.At) })
	for _, n := range notes {
		p.line(n.At.In(p.in).Format("15:04:05.000"), n.What, detail(n))
	}
}

// detail returns what a line of the trace says besides when and what.
func detail(n recording.Note) string {
	var all []string
	for _, text := range []string{n.Element, n.Setting, n.Method, n.State} {
		if text != "" {
			all = append(all, text)
		}
	}
	if n.User != "" {
		all = append(all, "by "+n.User)
	}
	text := strings.Join(all, " ")
	if n.Result != "" && text != "" {
		text += ": "
	}
	return text + n.Result
}
