package toggle

import (
	"testing"

	"tapedeck/flow"
)

func TestPermit(t *testing.T) {
	all := flow.OnDemand{DTMF: "*1", RecordKey: true, BlindTransfer: "*1", API: true}
	users := map[string]*flow.UserEntry{"alice": {}, "bob": {OnDemand: flow.Disable}, "carol": {OnDemand: flow.Override}}
	org := &flow.Organisation{Recording: true, OnDemand: all, Users: users}
	silent := &flow.Organisation{OnDemand: all, Users: users}
	forced := flow.Effective{On: true, Locked: true}
	never := flow.Effective{Locked: true}
	for _, tc := range []struct {
		name string
		org  *flow.Organisation
		user string
		e    flow.Effective
		want Refusal
	}{
		{"a user", org, "alice", flow.Effective{}, Permitted},
		{"a user, while it is on", org, "alice", flow.Effective{On: true}, Permitted},
		{"organisation without recording", silent, "carol", flow.Effective{}, NoRecording},
		{"the outside party", org, "", flow.Effective{}, NotItsUser},
		{"another organisation's user", org, "erin", flow.Effective{}, NotItsUser},
		{"disabled", org, "bob", flow.Effective{}, UserDisabled},
		{"forced", org, "alice", forced, Locked},
		{"never", org, "alice", never, Locked},
		{"forced, with override", org, "carol", forced, Permitted},
		{"never, with override", org, "carol", never, Permitted},
	} {
		for _, m := range []Method{DTMF, RecordKey, BlindTransfer, API} {
			if got := Permit(tc.org, tc.user, m, tc.e); got != tc.want {
				t.Errorf("%s by %s: got %q, want %q", tc.name, m, got, tc.want)
			}
		}
	}
}

func TestPermitNeedsTheGrant(t *testing.T) {
	users := map[string]*flow.UserEntry{"carol": {OnDemand: flow.Override}}
	for m, has := range map[Method]flow.OnDemand{
		DTMF: {DTMF: "*1"}, RecordKey: {RecordKey: true}, BlindTransfer: {BlindTransfer: "*1"}, API: {API: true},
	} {
		for _, by := range []Method{DTMF, RecordKey, BlindTransfer, API} {
			want := NotGranted
			if by == m {
				want = Permitted
			}
			org := &flow.Organisation{Recording: true, OnDemand: has, Users: users}
			if got := Permit(org, "carol", by, flow.Effective{}); got != want {
				t.Errorf("%s granted, %s used: got %q, want %q", m, by, got, want)
			}
		}
	}
}
