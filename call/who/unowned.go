package who

import (
	"cmp"
	"strings"

	"tapedeck/flow"
)

// Unowned is what was looked up for a leg of no organisation, as the log may have it.
type Unowned struct{ Domain, Number, Looked string }

// LookedUp is what was looked up for a leg. The number that an authenticated user has
// dialled may be an outside party's; then it is not said.
func LookedUp(p *flow.Policy, data Data) Unowned {
	looked := "domain number"
	if domainOf(data) == "" && saidDomain(data) != "" { // it is told, but was not looked up
		looked = "number"
	}
	for _, hint := range []string{"tapedeck_org", "tapedeck_number"} {
		if data.Variable(hint) != "" {
			looked += " " + hint
		}
	}
	number := cmp.Or(data.Get("Caller-Destination-Number"), data.Variable("sip_req_user"))
	_, isNumber := p.Normalise(number)
	switch {
	case number == "":
		number = "-"
	case strings.Trim(number, "+*#0123456789") != "" || len(number) > maxDialled:
		number = "(unreadable)"
	case data.Variable("user_name") != "" && (isNumber || len(number) >= ShortestNumber):
		number = "(number)"
	}
	return Unowned{Domain: hostForLog(saidDomain(data)), Number: number, Looked: looked}
}

// maxDialled is the greatest length of a dialled number that is logged: the 15 digits
// of E.164 and what may come before them.
const maxDialled = 20
