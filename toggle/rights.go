package toggle

import (
	"errors"

	"tapedeck/flow"
)

// Method is how a person presses during a call.
type Method string

// The methods, as in docs/design.md, section 1 and in the metrics' labels.
const (
	DTMF          Method = "dtmf"
	RecordKey     Method = "record_key"
	BlindTransfer Method = "blind_transfer"
	API           Method = "api"
)

// Refusal is why a press is not obeyed; "" is none. It is a metric's label, and an
// error for whoever presses through the API.
type Refusal string

func (r Refusal) Error() string { return "refused: " + string(r) }

// The other errors of a press through the API, for errors.Is.
var (
	ErrNoCall = errors.New("no such live call")
	ErrBusy   = errors.New("the switch did not answer in time") // the press may take effect later
)

// Permitted and the reasons for which it is not.
const (
	Permitted    Refusal = ""
	NoRecording  Refusal = "no_recording"  // the organisation has none
	NotItsUser   Refusal = "not_its_user"  // the leg is no phone of a user of the call's organisation
	NotGranted   Refusal = "not_granted"   // the organisation does not have the method
	UserDisabled Refusal = "user_disabled" // on_demand: disable
	Locked       Refusal = "locked"        // by force or never, and the user may not override
	Elsewhere    Refusal = "elsewhere"     // another Tapedeck follows a recording of the same conference room
)

// Permit says whether a press is obeyed (docs/design.md, section 2, rules 5 and 7).
// user is the id of the user whose leg presses, "" if the leg is no phone of the
// call's organisation; e is what the call's chain says.
func Permit(org *flow.Organisation, user string, m Method, e flow.Effective) Refusal {
	u := org.Users[user]
	switch {
	case !org.Recording:
		return NoRecording
	case u == nil:
		return NotItsUser
	case !granted(org.OnDemand, m):
		return NotGranted
	case u.OnDemand == flow.Disable:
		return UserDisabled
	case e.Locked && u.OnDemand != flow.Override:
		return Locked
	}
	return Permitted
}

// granted reports whether the organisation has a method.
func granted(o flow.OnDemand, m Method) bool {
	switch m {
	case DTMF:
		return o.DTMF != ""
	case RecordKey:
		return o.RecordKey
	case BlindTransfer:
		return o.BlindTransfer != ""
	}
	return m == API && o.API
}
