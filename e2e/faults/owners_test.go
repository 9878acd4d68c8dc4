package faults

import (
	"cmp"
	"slices"
	"time"
)

// judgeOwners: commands come from the owner only, except for a moment after a takeover.
func (s *stage) judgeOwners() {
	last := map[string]owned{}
	n := 0
	for _, command := range s.tap.commands {
		for ; n < len(s.tap.owners) && s.tap.owners[n].at.Before(command.at); n++ {
			o := s.tap.owners[n]
			if o.token > last[o.call].token || o.owner == last[o.call].owner {
				if o.owner == last[o.call].owner {
					o.at = last[o.call].at
				}
				last[o.call] = o
			}
		}
		o, known := last[command.call]
		if !known || command.id == "" || o.owner == command.id || command.token > o.token { // or it has just become the owner
			continue
		}
		tally.count("commands of an instance that did not own the call any more", 1)
		if command.at.Sub(o.at) > handover && !s.wokeUp(command) {
			s.fails("%s sent %q for a call that was %.8s's (token %d) for %v", command.by, command.line, o.owner, o.token, command.at.Sub(o.at).Round(ms))
		}
	}
}

// wokeUp reports whether the instance that sent the command was cut off or frozen: it
// may not know of the new owner yet.
func (s *stage) wokeUp(command recordCommand) bool {
	return slices.ContainsFunc(s.plan.faults, func(f *fault) bool {
		still := slices.Contains([]string{frozen, linkStill, linkHalfOpen, linkCut, linkCutInside, redisCut, switchStill, switchSlow}, f.kind)
		healed := cmp.Or(f.healed, time.Now())
		return still && command.by == s.instances[f.whom].name && !command.at.Before(f.struck) && command.at.Before(healed.Add(handover))
	})
}

// judgeHandovers: a call is taken over only if its owner is dead, or seems to be.
func (s *stage) judgeHandovers() {
	last := map[string]owned{}
	for _, o := range s.tap.owners {
		before, known := last[o.call]
		if known && o.token < before.token { // an owner before writes late: it took nothing over
			tally.count("snapshots of an owner before", 1)
			continue
		}
		last[o.call] = o
		if !known || before.owner == o.owner {
			continue
		}
		tally.count("handovers", 1)
		old := s.tap.lives[before.owner]
		explained := slices.ContainsFunc(s.plan.faults, func(f *fault) bool {
			his := slices.Contains([]string{killed, frozen, redisCut}, f.kind) && s.instances[f.whom].name == old
			redis := slices.Contains([]string{redisKilled, redisFrozen, redisFlushed}, f.kind)
			return (his || redis || old == "") && !f.struck.IsZero() && f.struck.Before(o.at)
		})
		if !explained {
			s.fails("%.8s was taken over from %s by %s, which was alive", o.call, old, s.tap.lives[o.owner])
		}
	}
}
