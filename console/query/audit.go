package query

import (
	"math"
	"net/url"
	"time"

	"tapedeck/console/ops"
)

// AuditFilters are the values that Audit reads.
var AuditFilters = []string{"who", "what", "recording", "organisation", "from", "to", "cursor", "limit"}

// Audit reads a query of the audit log. A day is one of the zone. The errors are
// for whoever asked.
func Audit(values url.Values, zone *time.Location) (ops.AuditQuery, error) {
	f := Form{Values: values}
	q := ops.AuditQuery{
		Who: f.Text("who"), What: f.Text("what"), Recording: f.Text("recording"), Organisation: f.Text("organisation"),
		From: f.Time("from", zone, 0), To: f.Time("to", zone, 1),
		Before: f.Number("cursor", 1, math.MaxInt64), Limit: int(f.Number("limit", 1, maxLimit)),
	}
	return q, f.Err
}
