package web

import (
	"fmt"

	"tapedeck/console/ops"
)

// evidenceView is what the audit page says of the evidence log.
type evidenceView struct {
	Bad      bool
	Words    string
	At       *timeView // when it was verified; nil: not yet
	Findings []string  // of what is wrong
}

func evidenceViewOf(rd reader, e ops.Evidence) *evidenceView {
	view := &evidenceView{Findings: e.Findings}
	switch {
	case !e.Kept:
		view.Bad, view.Words = true, "There is no evidence log: nothing proves that this log and the recordings are as they were written."
	case e.At.IsZero():
		view.Words = "The evidence log was not verified yet since Tapedeck started."
	case e.Failed != "":
		view.Bad, view.At, view.Words = true, rd.at(e.At, "minute"), "The evidence log was not verified: "+e.Failed+"."
	case e.Wrong > 0:
		view.Bad, view.At = true, rd.at(e.At, "minute")
		view.Words = fmt.Sprintf("The evidence log disagrees with the files in %d places. The command tapedeck audit verify names them all.", e.Wrong)
	default:
		view.At = rd.at(e.At, "minute")
		view.Words = fmt.Sprintf("This log and the sidecars of the recordings agree with the %d entries of the evidence log.", e.Entries)
		if !e.Signed {
			view.Words += " Nobody signs it: there is no key."
		}
		if e.Older > 0 {
			view.Words += fmt.Sprintf(" It does not prove %d recordings that are older than it.", e.Older)
		}
	}
	return view
}
