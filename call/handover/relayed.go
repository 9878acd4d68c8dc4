package handover

import (
	"strings"

	"tapedeck/flow"
)

// RelayedVariable is the channel variable with the elements that the recorded leg
// entered at instances which do not own the call. The owner clears it when it has
// entered them. If the owner dies, the next owner finds them there, even if no
// instance is left that heard of them.
const RelayedVariable = "tapedeck_relayed"

// maxRelayed is the greatest length of the variable, in bytes, to which an element
// is still added.
const maxRelayed = 2048

// AddRelayed adds an element to the text of RelayedVariable. It returns ok false,
// and the text as it was, if there is no room.
func AddRelayed(text string, e flow.Element) (longer string, ok bool) {
	if len(text) >= maxRelayed {
		return text, false
	}
	return strings.TrimPrefix(text+","+e.String(), ","), true
}

// Relayed splits the text of RelayedVariable into its elements, in the order in
// which they were entered.
func Relayed(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
