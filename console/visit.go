package console

import (
	"errors"
	"net/http"
	"slices"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/store/index"
)

// visit is one request of somebody who is known.
type visit struct {
	account access.Account
	stamp   string   // of the account, at the beginning of the session or of the request
	session *session // nil: by a bearer token
	token   string   // id of the bearer token; empty: by a session
	from    string   // address, behind trusted proxies the one that they say
}

// handler is a page or an operation of the API. An error that it returns has not
// been answered yet; what it is decides the status (see statusOf).
type handler func(w http.ResponseWriter, r *http.Request, v *visit) error

// What is wrong with a request.
var (
	errNotFound   = errors.New("there is no such thing, or you may not see it") // 404
	errNotAllowed = errors.New("your account may not do that")                  // 403
)

// scope narrows a query to what a visitor may see. It reports false if that is
// nothing at all.
func (v *visit) scope(p *flow.Policy, q *index.Query) bool {
	a := v.account
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

// sees reports whether a visitor may see something of an organisation with these
// users and ring groups on it: a recording or a live call.
func (v *visit) sees(p *flow.Policy, organisation string, users, groups []string) bool {
	a := v.account
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
