package web

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/query"
	"tapedeck/console/respond"
	"tapedeck/flow"
	"tapedeck/store/index"
)

func (s *Pages) getListPage(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	values := r.URL.Query()
	if clean, changed := withoutEmpty(values); changed {
		http.Redirect(w, r, pageAddress("/", clean), http.StatusSeeOther)
		return nil
	}
	rd, f := readerOf(r, time.Now()), readFilterForm(values)
	filters := f.query(rd)
	setText(filters, "cursor", f.Cursor)
	q, err := query.Recordings(filters, s.Policy(), rd.zone)
	if f.From > f.To && f.To != "" && err != nil {
		err = ops.BadRequest("the first day is after the last one")
	}
	if err != nil {
		page := s.listPage(rd, f, v, nil, index.Cursor{})
		page.Problem = sentence(err.Error())
		return s.render(w, r, v, ops.StatusOf(err), "list", page)
	}
	q.Limit = pageRows
	found, next, err := s.Operations.Recordings.List(r.Context(), v.Visitor, q)
	if err != nil {
		return err
	}
	page := s.listPage(rd, f, v, found, next)
	page.Deleted = values.Get("notice") == "deleted"
	return s.render(w, r, v, http.StatusOK, "list", page)
}

func (s *Pages) listPage(rd reader, f filterForm, v *identity.Visit, found []index.Recording, next index.Cursor) listPage {
	page := listPageOf(rd, f, found, query.CursorText(next))
	if len(found) < pageRows && next != (index.Cursor{}) {
		page.Stopped = rd.at(next.Started, "day")
	}
	page.Several, page.Zip = v.SeesSeveral(s.Policy()), v.Account.May(access.Download)
	page.Offer = s.offer(v)
	return page
}

// maxOffer is how many names a form offers. If there are more, it offers none: the
// page would become too large.
const maxOffer = 300

// offer returns the names that a visitor can choose from. It has no name of what he
// may not see.
func (s *Pages) offer(v *identity.Visit) offer {
	p := s.Policy()
	ids, some := v.Organisations(p)
	if !some {
		return offer{}
	}
	o := offer{Organisations: ids}
	if v.Account.Role == access.Operator {
		o.Organisations = slices.Sorted(maps.Keys(p.Organisations))
	}
	if len(o.Organisations) == 1 && v.Account.Role != access.User {
		if org := p.Organisations[o.Organisations[0]]; org != nil {
			o.Users, o.Groups = namesFor(org, v.Account.Groups)
		}
	}
	for _, names := range []*[]string{&o.Organisations, &o.Users, &o.Groups} {
		if len(*names) > maxOffer {
			*names = nil
		}
	}
	return o
}

// namesFor returns the users and ring groups of an organisation, or of only these
// groups if any are named.
func namesFor(org *flow.Organisation, only []string) (users, groups []string) {
	if len(only) == 0 {
		return slices.Sorted(maps.Keys(org.Users)), slices.Sorted(maps.Keys(org.RingGroups))
	}
	for _, id := range only {
		if g := org.RingGroups[id]; g != nil {
			groups = append(groups, id)
			users = append(users, g.Members...)
		}
	}
	slices.Sort(users)
	slices.Sort(groups)
	return slices.Compact(users), groups
}

// getCSV exports the list.
func (s *Pages) getCSV(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	return respond.CSV(w, r, s.Log, s.Operations.Recordings, v.Visitor, s.Policy())
}

// postSelection sends the recordings that were chosen in the list.
func (s *Pages) postSelection(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	if err := identity.ParseForm(r); err != nil {
		return err
	}
	ids := r.PostForm["id"]
	if len(ids) == 0 {
		return ops.BadRequest("choose at least one recording in the list")
	}
	return respond.ZIP(w, r, s.Log, s.Operations.Recordings, v.Visitor, ids)
}
