package recordings

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"tapedeck/recording"
	"tapedeck/store/index"
)

// print prints the list, and a hint if there are more recordings than that.
func (l *List) print(stdout io.Writer, list []index.Recording, more bool) error {
	if l.JSON {
		for _, r := range list {
			text, err := json.Marshal(r)
			if err == nil {
				err = printJSON(stdout, text)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		hint := ""
		if l.Number != "" && !strings.ContainsAny(l.Number, "0123456789") {
			hint = fmt.Sprintf(": %.60q is no number", l.Number)
		}
		_, err := fmt.Fprintf(stdout, "no recordings%s\n", hint)
		return err
	}
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STARTED\tORGANISATION\tDIRECTION\tOUTSIDE\tOURS\tUSERS\tLENGTH\tTRIGGER\tREMARKS\tID")
	for _, r := range list {
		fmt.Fprintln(t, strings.Join(l.row(r), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(stdout, "there are more: --limit %d shows them\n", 10*l.Limit)
	}
	return nil
}

// row returns the cells of a recording in the table.
func (l *List) row(r index.Recording) []string {
	long := recording.Length(r.DurationMS)
	if paused := recording.PausedLength(r.PausedMS); paused != "" {
		long += " (" + paused + " paused)"
	}
	if r.Bytes == 0 {
		long = "no file"
	}
	trigger := r.Trigger
	if r.RequestedBy != "" {
		trigger += ", " + r.RequestedBy
	}
	row := []string{r.Started.In(l.Zone).Format("2006-01-02 15:04:05 MST"), r.Organisation, r.Direction, r.External, r.Number,
		strings.Join(r.Users, ", "), long, trigger, remarks(r), r.ID}
	for i := range row {
		row[i] = plainText(row[i])
	}
	return row
}

// remarks are what a person should know first: a legal hold, and what is wrong.
func remarks(r index.Recording) string {
	var all []string
	if r.Held {
		all = append(all, "held")
	}
	for _, p := range r.Problems {
		if code := recording.ProblemCode(p); !slices.Contains(all, code) {
			all = append(all, code)
		}
	}
	if !r.Complete && len(r.Problems) == 0 {
		all = append(all, "incomplete")
	}
	return strings.Join(all, ", ")
}
