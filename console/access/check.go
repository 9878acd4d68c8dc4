package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"

	maxName = 64
)

// CheckName says what is wrong with the name of an account. Names are in lower case,
// so that a capital letter at signing in does not matter.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || strings.Trim(name, lower+digits+"-_.@+") != "" {
		return fmt.Errorf("a name has 1 to %d of a-z, 0-9 and any of -_.@+ in it", maxName)
	}
	return nil
}

// checkID says what is wrong with an id of the policy, a role or a right.
func checkID(id string) error {
	if id == "" || len(id) > maxName || strings.Trim(id, lower+digits+"-_.") != "" {
		return fmt.Errorf("is no id: use 1 to %d of a-z, 0-9, and any of -_. in it", maxName)
	}
	return nil
}

// Check says what is wrong with an account: a field that its role needs is missing, or
// there is one that its role does not use.
func (a Account) Check() error {
	if roleRights[a.Role] == nil {
		return fmt.Errorf("its role is %.60q: write %s, %s, %s or %s", string(a.Role), Operator, Brand, Organisation, User)
	}
	for _, f := range []struct {
		key   string
		there bool
		of    []Role
		must  bool
	}{
		{"brand", a.Brand != "", []Role{Brand}, true},
		{"organisation", a.Organisation != "", []Role{Organisation, User}, true},
		{"user", a.User != "", []Role{User}, true},
		{"groups", len(a.Groups) > 0, []Role{Organisation}, false},
	} {
		heeded := slices.Contains(f.of, a.Role)
		if f.there && !heeded {
			return fmt.Errorf("role %s has no %s: remove it, or use another role", a.Role, f.key)
		}
		if !f.there && heeded && f.must {
			return fmt.Errorf("role %s needs %s: say which", a.Role, f.key)
		}
	}
	for _, id := range append([]string{a.Brand, a.Organisation, a.User}, a.Groups...) {
		if id == "" {
			continue
		}
		if err := checkID(id); err != nil {
			return fmt.Errorf("%.60q %w", id, err)
		}
	}
	return a.checkRights()
}

func (a Account) checkRights() error {
	for _, right := range a.Rights {
		if !slices.Contains(Rights, right) {
			return fmt.Errorf("there is no right %.60q: use %s", string(right), joined(Rights))
		}
	}
	if a.Rights != nil && !slices.Contains(a.Rights, See) {
		return errors.New("without the right see the others allow nothing: add it")
	}
	return nil
}

func joined(rights []Right) string {
	words := make([]string, len(rights))
	for i, r := range rights {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}
