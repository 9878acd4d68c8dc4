package call

import (
	"log/slog"
	"time"

	"tapedeck/call/who"
	"tapedeck/internal/recent"
)

// unownedTold are the calls of no organisation that the log has told of lately. A call
// of the same domain and number is told of again after an hour.
type unownedTold struct {
	recent.Map[who.Unowned, struct{}]
}

// maxUnowned bounds what is remembered of them.
const maxUnowned = 1000

// tell tells the administrator that a call is nobody's: the likeliest mistake
// in a policy is a domain or a number that is written otherwise on the wire.
func (t *unownedTold) tell(log *slog.Logger, leg string, u who.Unowned) {
	if _, told := t.Get(u); told {
		log.Info("call not recorded", "leg", leg, "why", "unknown")
		return
	}
	t.Put(u, struct{}{})
	log.Warn("call of no organisation: not recorded; see domains: and numbers: in the policy", "leg", leg,
		"domain", u.Domain, "number", u.Number, "looked_up", u.Looked)
}

// toldAgainAfter is how long a call of the same domain and number is not told of again.
const toldAgainAfter = time.Hour
