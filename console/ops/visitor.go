package ops

import (
	"slices"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

// Visitor is who asks for an operation.
type Visitor struct {
	Account access.Account
	From    string // address, as the audit log has it
}

// actor is how the audit log names a visitor.
func (v Visitor) actor() audit.Actor { return audit.Actor{Who: v.Account.Name, From: v.From} }

// Organisations are those that a visitor may see something of; nil: all. It
// reports false if he may see nothing at all.
func (v Visitor) Organisations(p *flow.Policy) (ids []string, some bool) {
	var q index.Query
	some = v.narrow(p, &q)
	return q.Organisations, some
}

// SeesSeveral reports whether a visitor may see more than one organisation.
func (v Visitor) SeesSeveral(p *flow.Policy) bool {
	ids, some := v.Organisations(p)
	return some && (len(ids) > 1 || v.Account.Role == access.Operator)
}

// narrow narrows a query to what a visitor may see. It reports false if that is
// nothing at all.
func (v Visitor) narrow(p *flow.Policy, q *index.Query) bool {
	a := v.Account
	if !a.May(access.See) {
		return false
	}
	switch a.Role {
	case access.Operator:
		return true
	case access.Brand:
		var own []string
		for id, org := range p.Organisations {
			if org.Brand == a.Brand && (len(q.Organisations) == 0 || slices.Contains(q.Organisations, id)) {
				own = append(own, id)
			}
		}
		slices.Sort(own)
		q.Organisations = own
		return len(own) > 0
	}
	if len(q.Organisations) > 0 && !slices.Contains(q.Organisations, a.Organisation) {
		return false
	}
	q.Organisations = []string{a.Organisation}
	if a.Role == access.User {
		q.Only.User = a.User
	}
	q.Only.Groups = a.Groups
	return true
}

// sees reports whether a visitor may see a recording or a live call of an
// organisation, with these users and ring groups on it.
func (v Visitor) sees(p *flow.Policy, organisation string, users, groups []string) bool {
	a := v.Account
	if !a.May(access.See) {
		return false
	}
	switch a.Role {
	case access.Operator:
		return true
	case access.Brand:
		org := p.Organisations[organisation]
		return org != nil && org.Brand == a.Brand
	case access.Organisation:
		return organisation == a.Organisation &&
			(len(a.Groups) == 0 || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(a.Groups, g) }))
	case access.User:
		return organisation == a.Organisation && a.User != "" && slices.Contains(users, a.User)
	}
	return false
}
