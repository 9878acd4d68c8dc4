package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // so that every zone is known, whatever the machine has

	"tapedeck/recording"
)

// reader says in which zone a page shows times: in the zone that the cookie tz names,
// which the pages' script sets, or in UTC.
type reader struct {
	zone *time.Location
	now  time.Time
}

const maxZoneName = 64

func readerOf(r *http.Request, now time.Time) reader {
	zone := time.UTC
	if c, err := r.Cookie("tz"); err == nil && c.Value != "" && c.Value != "Local" && len(c.Value) <= maxZoneName {
		if z, err := time.LoadLocation(c.Value); err == nil {
			zone = z
		}
	}
	return reader{zone, now.In(zone)}
}

// timeView is a time as a page shows it. The script rewrites Text if the browser's
// zone is another than the page's.
type timeView struct {
	ISO  string // for machines: in UTC, to the millisecond
	Text string
	As   string // minute, second, milli, clock or day: how much Text shows
}

var stampLayouts = map[string]string{
	"minute": "2006-01-02 15:04",
	"second": "2006-01-02 15:04:05",
	"milli":  "2006-01-02 15:04:05.000",
	"clock":  "15:04:05.000",
	"day":    "2006-01-02",
}

// at returns a time as the page shows it; nil if it is not known.
func (rd reader) at(t time.Time, as string) *timeView {
	if t.IsZero() {
		return nil
	}
	return &timeView{t.UTC().Format("2006-01-02T15:04:05.000Z"), t.In(rd.zone).Format(stampLayouts[as]), as}
}

// zoneName returns the name of the zone.
func (rd reader) zoneName() string { return rd.zone.String() }

// startOfDay returns midnight of the day of t, in the reader's zone.
func (rd reader) startOfDay(t time.Time) time.Time {
	y, m, d := t.In(rd.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, rd.zone)
}

// place returns a place in a file, to the tenth of a second: 0:12.3.
func place(ms int64) string {
	return recording.Clock(max(ms, 0)/1000) + "." + strconv.FormatInt(max(ms, 0)/100%10, 10)
}

// bytesText returns a size with its unit.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	size, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if size /= 1000; size < 1000 {
			break
		}
	}
	return strings.Replace(fmt.Sprintf("%.1f %s", size, unit), ".0 ", " ", 1)
}
