package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tapedeck/flow"
)

// settings are what a policy says about an organisation or an element, by key.
type settings map[string]string

// kinds maps the parts of an organisation that have elements to the kind of those.
var kinds = map[string]flow.Kind{"numbers": flow.Number, "ring_groups": flow.RingGroup,
	"applications": flow.Application, "users": flow.User}

// Changes returns the differences between two policies, a line each: those of the whole
// policy, then those of each organisation, sorted.
func Changes(before, after *flow.Policy) ([]string, error) {
	var lines []string
	for _, field := range [][3]string{{"precedence", before.Precedence.String(), after.Precedence.String()}, {"region", before.Region, after.Region}} {
		if field[1] != field[2] {
			lines = append(lines, fmt.Sprintf("policy: %s: %s → %s", field[0], orNothing(field[1]), orNothing(field[2])))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(union(before.Organisations, after.Organisations))) {
		was, err := settingsOf(before.Organisations[id])
		if err != nil {
			return nil, err
		}
		is, err := settingsOf(after.Organisations[id])
		if err != nil {
			return nil, err
		}
		lines = append(lines, organisationChanges(id, was, is)...)
	}
	return lines, nil
}

func organisationChanges(id string, was, is map[string]settings) []string {
	switch {
	case was == nil:
		return []string{fmt.Sprintf("%s: organisation added, elements: %d", id, len(is)-1)}
	case is == nil:
		return []string{fmt.Sprintf("%s: organisation removed, elements: %d", id, len(was)-1)}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(union(was, is))) {
		where := id
		if name != "" {
			where += ": " + name
		}
		old, now := was[name], is[name]
		switch {
		case old == nil:
			lines = append(lines, where+": added"+now.list())
		case now == nil:
			lines = append(lines, where+": removed")
		default:
			for _, key := range slices.Sorted(maps.Keys(union(old, now))) {
				if a, b := old.get(key), now.get(key); a != b {
					lines = append(lines, fmt.Sprintf("%s: %s: %s → %s", where, key, a, b))
				}
			}
		}
	}
	return lines
}

// settingsOf returns the settings of each element of an organisation, by its name, and those
// of the organisation under "". It returns nil for a nil organisation. It reads the
// organisation's JSON, so that a new key of the policy cannot be forgotten.
func settingsOf(o *flow.Organisation) (map[string]settings, error) {
	if o == nil {
		return nil, nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("policy: compare: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, fmt.Errorf("policy: compare: %w", err)
	}
	delete(fields, "id")
	delete(fields, "precedence") // it is the policy's
	all := map[string]settings{}
	for key, kind := range kinds {
		elements, _ := fields[key].(map[string]any)
		for id, said := range elements {
			t := settings{}
			t.add("", said)
			all[flow.Element{Kind: kind, ID: id}.String()] = t
		}
		delete(fields, key)
	}
	all[""] = settings{}
	all[""].add("", fields)
	return all, nil
}

// add adds a JSON value. The keys of nested values are joined by spaces.
func (t settings) add(key string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for k, inner := range v {
			t.add(strings.TrimSpace(key+" "+k), inner)
		}
	case float64: // the only numbers are durations
		t[strings.TrimSuffix(key, "_ns")] = time.Duration(v).String()
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			list[i] = fmt.Sprint(item)
		}
		t[key] = strings.Join(list, " ")
	default:
		t[key] = fmt.Sprint(v)
	}
}

// get returns the value of a key, or the default that it has in a policy.
func (t settings) get(key string) string {
	switch {
	case t[key] != "":
		return t[key]
	case strings.HasPrefix(key, "record "):
		return flow.DontCare.String()
	case key == "on_demand":
		return flow.Enable.String()
	}
	return orNothing("")
}

// orNothing returns the text, or "nothing" if it is empty.
func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// list returns what a new element says besides the defaults.
func (t settings) list() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if t[key] != (settings{}).get(key) {
			parts = append(parts, key+" "+t[key])
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// union returns a map with the keys of both.
func union[M ~map[string]V, V any](a, b M) M {
	both := maps.Clone(a)
	if both == nil {
		both = M{}
	}
	maps.Copy(both, b)
	return both
}
