package ops

import (
	"time"

	"tapedeck/store/index"
)

// RecordingView is what a list says of a recording, for the API and for exports.
type RecordingView struct {
	ID           string     `json:"id"`
	Organisation string     `json:"organisation"`
	Call         string     `json:"call"`
	Part         int        `json:"part"` // from 1
	Direction    string     `json:"direction"`
	External     string     `json:"external"`
	Number       string     `json:"number"`
	Users        []string   `json:"users"`
	Groups       []string   `json:"groups"`
	Trigger      string     `json:"trigger"`
	RequestedBy  string     `json:"requested_by"`
	Started      time.Time  `json:"started"`
	Ended        *time.Time `json:"ended"` // nil: not known
	DurationMS   int64      `json:"duration_ms"`
	PausedMS     int64      `json:"paused_ms"`
	Bytes        int64      `json:"bytes"`
	SHA256       string     `json:"sha256"`
	Complete     bool       `json:"complete"`
	Problems     []string   `json:"problems"`
	Held         bool       `json:"held"`
}

// ViewOf is the view of an entry of the index.
func ViewOf(r index.Recording) RecordingView {
	view := RecordingView{
		ID: r.ID, Organisation: r.Organisation, Call: r.Call, Part: max(1, r.Part), Direction: r.Direction,
		External: r.External, Number: r.Number, Users: append([]string{}, r.Users...), Groups: append([]string{}, r.Groups...),
		Trigger: r.Trigger, RequestedBy: r.RequestedBy, Started: utc(r.Started), DurationMS: r.DurationMS, PausedMS: r.PausedMS,
		Bytes: r.Bytes, SHA256: r.SHA256, Complete: r.Complete, Problems: append([]string{}, r.Problems...), Held: r.Held,
	}
	if !r.Ended.IsZero() {
		ended := utc(r.Ended)
		view.Ended = &ended
	}
	return view
}
