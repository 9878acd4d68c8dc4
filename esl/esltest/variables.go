package esltest

import (
	"slices"
	"strings"
)

// variables are those of a channel, in the order in which they were set. A variable
// that is set again moves to the end (switch_event.c, EF_UNIQ_HEADERS). Names are
// compared without case.
type variables struct {
	list  []header
	value map[string]string // by the name in lower case
}

func (v *variables) get(name string) (string, bool) {
	value, ok := v.value[strings.ToLower(name)]
	return value, ok
}

// set sets a variable; an empty value unsets it (switch_channel.c,
// switch_channel_add_variable_var_check).
func (v *variables) set(name, value string) {
	if name == "" {
		return
	}
	lower := strings.ToLower(name)
	if _, ok := v.value[lower]; ok {
		v.list = slices.DeleteFunc(v.list, func(h header) bool { return strings.ToLower(h.name) == lower })
		delete(v.value, lower)
	}
	if value == "" {
		return
	}
	if v.value == nil {
		v.value = map[string]string{}
	}
	v.list, v.value[lower] = append(v.list, header{name, value}), value
}

// setChecked is set, but refuses a value with `${` in it and reports false then, as
// FreeSWITCH does in most places ("Invalid data (${x} contains a variable)").
func (v *variables) setChecked(name, value string) bool {
	if containsVariable(value) {
		return false
	}
	v.set(name, value)
	return true
}

// withPrefix returns the variables whose names begin with prefix, in order. It is a
// copy, because running them may set variables.
func (v *variables) withPrefix(prefix string) []header {
	var found []header
	for _, h := range v.list {
		if len(h.name) >= len(prefix) && strings.EqualFold(h.name[:len(prefix)], prefix) {
			found = append(found, h)
		}
	}
	return found
}

// containsVariable is switch_utils.h, switch_string_var_check_const.
func containsVariable(s string) bool {
	dollar := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$':
			dollar = true
		case dollar && s[i] == '{':
			return true
		case dollar && s[i] != '\\':
			dollar = false
		}
	}
	return false
}

// expand replaces `${name}` by the channel's variable. `\${name}` only loses its
// backslash. `${f(x)}`, a call of the API, becomes empty.
func (c *Channel) expand(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		if found && strings.HasSuffix(before, `\`) {
			b.WriteString(before[:len(before)-1] + "${")
			s = rest
			continue
		}
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + rest)
			return b.String()
		}
		value, _ := c.lookup(name)
		b.WriteString(value)
		s = after
	}
}

// lookup returns a variable or, if there is none of that name, a field of the caller
// profile (switch_channel.c, switch_channel_get_variable_dup).
func (c *Channel) lookup(name string) (string, bool) {
	if value, ok := c.vars.get(name); ok {
		return value, true
	}
	var value string
	switch strings.ToLower(name) {
	case "uuid":
		value = c.uuid
	case "destination_number":
		value = c.profile.destination
	case "caller_id_name":
		value = c.profile.callerName
	case "caller_id_number":
		value = c.profile.callerNumber
	case "callee_id_number":
		value = c.profile.calleeNumber
	case "username":
		value = c.profile.username
	case "context":
		value = c.profile.context
	case "chan_name":
		value = c.profile.channelName
	}
	return value, value != ""
}
