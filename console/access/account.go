// Package access has the accounts of the console and the API, with their roles, rights
// and tokens: it reads the accounts file, follows its changes, and writes it. It knows
// nothing of HTTP.
package access

import (
	"slices"
	"strings"
)

// Role says which recordings and calls an account may see at all.
type Role string

// The roles (docs/design.md, section 9).
const (
	Operator     Role = "operator"     // everything
	Brand        Role = "brand"        // the organisations of a brand
	Organisation Role = "organisation" // one organisation, or some of its ring groups
	User         Role = "user"         // the calls in which one user of an organisation talked
)

// Right is something that an account may do with what it may see.
type Right string

// The rights.
const (
	See      Right = "see"      // the list, and what is known of a recording or of a live call
	Listen   Right = "listen"   // hear it in the page
	Download Right = "download" // take the file away: WAV, MP3, ZIP
	Delete   Right = "delete"
	Hold     Right = "hold"    // set and end a legal hold
	Control  Right = "control" // start, pause and resume live recordings
	Audit    Right = "audit"   // read the audit log, of what it may see
)

// Rights has all rights, in the order in which the accounts file has them.
var Rights = []Right{See, Listen, Download, Delete, Hold, Control, Audit}

// roleRights has the rights of an account that names none.
var roleRights = map[Role][]Right{
	Operator:     Rights,
	Brand:        Rights,
	Organisation: Rights,
	User:         {See, Listen, Control},
}

// Account is who may sign in, or use a token. Check has passed for every account that
// comes from the file: the fields that its role needs are set, the others are empty.
type Account struct {
	Name         string
	Role         Role
	Brand        string   // of role Brand
	Organisation string   // of roles Organisation and User
	User         string   // of role User: the user's id in the policy
	Groups       []string // of role Organisation: only these ring groups; none: the whole organisation
	Rights       []Right  // nil: the role's
}

// May reports whether the account has a right. Without See there is no other.
func (a Account) May(r Right) bool {
	rights := a.Rights
	if rights == nil {
		rights = roleRights[a.Role]
	}
	return slices.Contains(rights, See) && slices.Contains(rights, r)
}

// Scope says in words what an account sees.
func (a Account) Scope() string {
	switch {
	case a.Role == Operator:
		return "everything"
	case a.Role == Brand:
		return "brand " + a.Brand
	case a.Role == User:
		return "calls of " + a.User + " of " + a.Organisation
	case len(a.Groups) > 0:
		return "groups " + strings.Join(a.Groups, ", ") + " of " + a.Organisation
	}
	return a.Organisation
}
