package call

import (
	"cmp"
	"log/slog"
	"strings"
	"time"

	"tapedeck/flow"
	"tapedeck/internal/recent"
)

// unowned is what was looked up for a leg of no organisation, as the log may have it.
type unowned struct{ domain, number, looked string }

// unownedOf is what was looked up for a leg. The number that an authenticated user
// has dialled may be an outside party's; then it is not said.
func unownedOf(p *flow.Policy, data channelData) unowned {
	looked := "domain number"
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
	case data.Variable("user_name") != "" && (isNumber || len(number) >= shortestNumber):
		number = "(number)"
	}
	return unowned{domain: hostForLog(domainOf(data)), number: number, looked: looked}
}

// maxDialled is the greatest length of a dialled number that is logged: the 15 digits
// of E.164 and what may come before them.
const maxDialled = 20

// unownedTold are the calls of no organisation that the log has told of lately. A call
// of the same domain and number is told of again after an hour.
type unownedTold struct {
	recent.Map[unowned, struct{}]
}

// maxUnowned bounds what is remembered of them.
const maxUnowned = 1000

// tell tells the administrator that a call is nobody's: the likeliest mistake
// in a policy is a domain or a number that is written otherwise on the wire.
func (t *unownedTold) tell(log *slog.Logger, leg string, u unowned) {
	if _, told := t.Get(u); told {
		log.Info("call not recorded", "leg", leg, "why", "unknown")
		return
	}
	t.Put(u, struct{}{})
	log.Warn("call of no organisation: not recorded; see domains: and numbers: in the policy", "leg", leg,
		"domain", u.domain, "number", u.number, "looked_up", u.looked)
}

// toldAgainAfter is how long a call of the same domain and number is not told of again.
const toldAgainAfter = time.Hour
