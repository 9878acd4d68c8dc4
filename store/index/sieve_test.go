package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tapedeck/store"
)

// sieve is the plain filter: what a Query says, without an index. Its words are read
// another way than matches does it.
func sieve(all map[store.ID]Recording, q Query) (found []string) {
	var list []Recording
	for _, r := range all {
		if plainly(r, q) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Recording) int {
		if cursorBefore(a.Cursor(), b.Cursor()) {
			return -1
		}
		return 1
	})
	for _, r := range list {
		found = append(found, r.Organisation+"/"+r.ID)
	}
	return found
}

func plainly(r Recording, q Query) bool {
	at := r.Started.UnixMilli()
	if len(q.Organisations) > 0 && !slices.Contains(q.Organisations, r.Organisation) ||
		!q.From.IsZero() && at < q.From.UnixMilli() || !q.To.IsZero() && at >= q.To.UnixMilli() ||
		q.Before != (Cursor{}) && !cursorBefore(q.Before, r.Cursor()) ||
		q.User != "" && !slices.Contains(r.Users, q.User) ||
		q.Only.User != "" && !slices.Contains(r.Users, q.Only.User) ||
		q.Group != "" && !slices.Contains(r.Groups, q.Group) ||
		q.Trigger != "" && r.Trigger != q.Trigger || q.OnlyProblems && len(r.Problems) == 0 {
		return false
	}
	if len(q.Only.Groups) > 0 && !slices.ContainsFunc(q.Only.Groups, func(g string) bool { return slices.Contains(r.Groups, g) }) {
		return false
	}
	if q.Number != "" && plainNumber(q.Number) != plainNumber(r.Number) && plainNumber(q.Number) != plainNumber(r.External) {
		return false
	}
	words := strings.Fields(q.Text)
	if strings.Trim(q.Text, "0123456789 +-") == "" && q.Text != "" {
		words = []string{strings.TrimSpace(q.Text)} // a number with spaces
	}
	for _, w := range words {
		if !plainWord(r, strings.ToLower(w)) {
			return false
		}
	}
	return true
}

func plainNumber(n string) string {
	n = strings.NewReplacer("+", "", " ", "", "-", "").Replace(n)
	if n != "00" {
		n = strings.TrimPrefix(n, "00")
	}
	return strings.ToLower(n)
}

func plainWord(r Recording, w string) bool {
	for _, name := range append(append([]string{r.RequestedBy, r.ID}, r.Users...), r.Groups...) {
		if strings.HasPrefix(strings.ToLower(name), w) {
			return true
		}
	}
	typed := strings.NewReplacer("+", "", " ", "", "-", "").Replace(w)
	number := typed != "" && strings.Trim(typed, "0123456789") == ""
	for _, n := range []string{r.External, r.Number} {
		if n == "" {
			continue
		}
		n = plainNumber(n)
		switch {
		case !number:
			if strings.HasPrefix(n, w) {
				return true
			}
		case strings.HasPrefix(n, plainNumber(typed)), !strings.HasPrefix(w, "+") && strings.HasPrefix(n, typed):
			return true
		case strings.HasPrefix(w, "+") || strings.Trim(n, "0123456789") != "":
		case strings.HasSuffix(n, typed):
			return true
		case len(typed) > 6 && typed[0] == '0' && typed[1] != '0' && strings.HasSuffix(n, typed[1:]):
			return true
		}
	}
	return false
}

// maker makes recordings and queries of a world so small that they meet.
type maker struct{ *rand.Rand }

func (m maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m maker) user() string {
	return m.pick("alice", "Alice", "alan", "bob", "bob.smith", "carol", "1001", "10", "zoë", strings.Repeat("long", 20)+m.pick("1", "2"))
}
func (m maker) group() string { return m.pick("sales", "Sales", "support", "all", "1002", "b") }

func (m maker) number() string {
	return m.pick("+442079460001", "+442079460002", "+4420", "442079460001", "+4479", "00493012345678", "1001", "anonymous", "+491", "02079460003", "*98", "")
}

func (m maker) id(n int) string {
	if n%2 == 0 {
		return fmt.Sprintf("rec-%04d", n)
	}
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761%(1<<32), n)
	return id + m.pick("", "", "", ".part2")
}

// state is some state of a recording; two that differ, differ in any of it.
func (m maker) state(id store.ID) Recording {
	r := Recording{
		ID: id.ID, Organisation: id.Organisation, External: m.number(), Number: m.number(), Trigger: m.pick("automatic", "on-demand", ""),
		Started: firstStart.Add(time.Duration(m.IntN(200)) * 100 * time.Millisecond), Held: m.IntN(2) == 0,
	}
	for range m.IntN(3) {
		r.Users = append(r.Users, m.user())
	}
	for range m.IntN(3) {
		r.Groups = append(r.Groups, m.group())
	}
	if m.IntN(4) == 0 {
		r.RequestedBy = m.user()
	}
	if m.IntN(5) == 0 {
		r.Problems = []string{"lost"}
	}
	return r
}

func (m maker) words() string {
	words := []string{
		"a", "AL", "alice", "bob", "s", "sale", "1", "10", "100", "0001", "01", "+44", "44", "0044", "004", "0", "00", "+", "02079460001",
		"020 7946 0001", "+44 20 79", "79460003", "anon", "x", "rec", "rec-0", "REC-0002", "zo", "zoë", strings.Repeat("long", 20), strings.Repeat("long", 20) + "1", "*9",
		"1234", "9e3779b1", "00000000", "9e3779b1-0000-4000-8000-0000000000", m.id(m.IntN(300)),
	}
	if m.IntN(3) == 0 {
		return m.pick(words...) + " " + m.pick(words...)
	}
	return m.pick(words...)
}

func (m maker) query(organisations []string) Query {
	q := Query{Limit: []int{3, 25, 100, 1000, 0}[m.IntN(5)]}
	maybe := func(f func()) {
		if m.IntN(5) == 0 {
			f()
		}
	}
	for m.IntN(3) == 0 {
		q.Organisations = append(q.Organisations, m.pick(organisations...))
	}
	moment := func() time.Time { return firstStart.Add(time.Duration(m.IntN(20_000)) * time.Millisecond) }
	maybe(func() { q.From = moment() })
	maybe(func() { q.To = moment() })
	maybe(func() {
		q.Before = Cursor{
			Started: firstStart.Add(time.Duration(m.IntN(200)) * 100 * time.Millisecond), ID: m.id(m.IntN(300)), Organisation: m.pick(organisations...),
		}
	})
	maybe(func() { q.User = m.user() })
	maybe(func() { q.Group = m.group() })
	maybe(func() { q.Number = m.pick(m.number(), "+44 20 7946 0001", "0044-2079460002", "nobody") })
	maybe(func() { q.Trigger = m.pick("automatic", "on-demand", "On-Demand") })
	maybe(func() { q.OnlyProblems = true })
	maybe(func() { q.Only.User = m.user() })
	maybe(func() { q.Only.Groups = []string{m.group(), m.group()} })
	maybe(func() { q.Only.Groups = append(q.Only.Groups, "c", "d", "e", "f", "g", "h", "i", "all") })
	if m.IntN(3) == 0 {
		q.Text = m.words()
	}
	return q
}
