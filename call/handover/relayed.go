package handover

import (
	"strings"

	"tapedeck/flow"
)

// RelayedVariable keeps, on the recorded leg, the elements that it entered at an
// instance which does not own the call, until the owner has seen to them: whoever
// takes the call over finds them there, if nobody who heard of them is left.
const RelayedVariable = "tapedeck_relayed"

// maxRelayed is how long the variable may grow, in bytes.
const maxRelayed = 2048

// AddRelayed adds an element to the text of RelayedVariable; ok is false if there
// is no room.
func AddRelayed(text string, e flow.Element) (longer string, ok bool) {
	if len(text) >= maxRelayed {
		return text, false
	}
	return strings.TrimPrefix(text+","+e.String(), ","), true
}

// Relayed are the elements in the text of RelayedVariable, as they were entered.
func Relayed(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
