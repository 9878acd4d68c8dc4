package index

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

var (
	million        = flag.Bool("store.million", false, "measure the index of a million recordings")
	millionSize    = flag.Int("store.million.size", 1_000_000, "how many they are")
	millionSamples = flag.Int("store.million.samples", 300, "how often each query is asked")
)

// The world that is measured: 10 organisations of 1,000 users and 200 groups
// each, with 300,000 outside numbers between them, in two years. Few users and
// numbers have most of the calls.
const (
	worldOrganisations = 10
	worldUsers         = 1000
	worldGroups        = 200
	worldNumbers       = 300_000
	worldYears         = 2
)

// kindTime is how long each kind of query is measured at most.
const kindTime = 15 * time.Second

var worldBegin = time.Date(2024, 11, 21, 0, 0, 0, 0, time.UTC)

// world makes recordings; the same seed, the same ones.
type world struct {
	*rand.Rand
	size           int
	users, numbers *rand.Zipf
}

func newWorld(seed uint64, size int) *world {
	random := rand.New(rand.NewPCG(seed, 1))
	return &world{
		Rand: random, size: size,
		users:   rand.NewZipf(random, 1.1, 50, worldUsers-1),
		numbers: rand.NewZipf(random, 1.1, 1000, worldNumbers-1),
	}
}

func (w *world) organisation() string { return fmt.Sprint("org-", w.IntN(worldOrganisations)) }

// user is named after one of 40 names, or has a number.
func (w *world) user() string {
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"}
	n := int(w.users.Uint64())
	if n%5 == 4 {
		return fmt.Sprint(1000 + n)
	}
	return fmt.Sprintf("%s.%03d", names[n%len(names)], n)
}

func (w *world) group() string { return fmt.Sprint("group-", w.IntN(worldGroups)) }

func (w *world) outside() string {
	n := w.numbers.Uint64()
	return "+" + []string{"4420", "4479", "4916", "3312"}[n%4] + fmt.Sprintf("%08d", n*2654435761%1e8)
}

func (w *world) number(organisation string) string {
	return "+442079460" + strings.TrimPrefix(organisation, "org-") + fmt.Sprintf("%02d", w.IntN(50))
}

func (w *world) uuid() string {
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", w.Uint32(), w.IntN(1<<16), w.IntN(1<<12), 1<<15|w.IntN(1<<14), w.Uint64N(1<<48))
}

func (w *world) recording() Recording {
	o, id := w.organisation(), w.uuid()
	started := worldBegin.Add(time.Duration(w.Int64N(worldYears * 365 * 24 * int64(time.Hour)))).Truncate(time.Microsecond)
	seconds := 10 + w.Int64N(600)
	r := Recording{
		ID: id, Organisation: o, Call: id, Path: o + started.Format("/2006/01/02/") + id + ".wav", Direction: "inbound",
		External: w.outside(), Number: w.number(o), Users: []string{w.user()}, Trigger: "automatic",
		Started: started, Ended: started.Add(time.Duration(seconds) * time.Second), DurationMS: seconds * 1000, Bytes: seconds * 32000,
		SHA256: fmt.Sprintf("%016x%016x%016x%016x", w.Uint64(), w.Uint64(), w.Uint64(), w.Uint64()), Complete: true,
	}
	if w.IntN(4) == 0 {
		if u := w.user(); u != r.Users[0] {
			r.Users = append(r.Users, u)
		}
	}
	if w.IntN(2) == 0 {
		r.Groups = []string{w.group()}
	}
	if w.IntN(10) == 0 {
		r.Trigger, r.RequestedBy = "on-demand", r.Users[0]
	}
	if w.IntN(100) == 0 {
		r.Problems, r.Complete = []string{"the file ended early"}, false
	}
	return r
}

func (w *world) all() iter.Seq2[Recording, error] {
	return func(yield func(Recording, error) bool) {
		for range w.size {
			if !yield(w.recording(), nil) {
				return
			}
		}
	}
}

// TestMillion measures each kind of query at the caller while 100 recordings a
// second are saved, and prints the table and what memory Redis has.
func TestMillion(t *testing.T) {
	if !*million {
		t.Skip("takes minutes and 3 GB: make bench-index, or go test ./store/index -run TestMillion -store.million -v")
	}
	r := storetest.NewRedis(t, "--appendonly", "no")
	s := (&instance{Index: New(storetest.OpenWith(t, store.Config{Redis: r.URL()}))}).run(t)
	begin := time.Now()
	if _, _, err := s.Reindex(t.Context(), newWorld(1, *millionSize).all()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	t.Logf("%d recordings indexed in %s (%.0f a second)", *millionSize, took.Round(time.Second), float64(*millionSize)/took.Seconds())
	t.Log(memoryOf(t, r))
	stop := saveSteadily(t, s)
	t.Logf("%-36s %7s %7s %7s %7s %10s", "query, pages of 50", "p50 ms", "p99 ms", "max ms", "found", "calls")
	t.Log(loadOf())
	slow := measureAll(t, s)
	t.Log(loadOf())
	saved := stop()
	t.Logf("%d were saved meanwhile, %d wait, %d were dropped", saved, s.Queued(), s.Dropped())
	t.Log(memoryOf(t, r))
	if len(slow) > 0 {
		t.Logf("100 ms or slower: %s", strings.Join(slow, ", "))
	}
}

// loadOf says what else the machine had to do.
func loadOf() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load of the machine unknown"
	}
	return fmt.Sprintf("load average %s on %d processors", strings.Join(strings.Fields(string(text))[:2], " "), runtime.NumCPU())
}

func memoryOf(t *testing.T, r storetest.Redis) string {
	t.Helper()
	var used string
	for line := range strings.Lines(storetest.Client(t, r).Info(t.Context(), "memory").Val()) {
		if v, ok := strings.CutPrefix(line, "used_memory:"); ok {
			used = strings.TrimSpace(v)
		}
	}
	n, err := strconv.ParseFloat(used, 64)
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Pid()))
	if err != nil {
		return fmt.Sprintf("redis uses %.2f GB", n/1e9)
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	rss, _, _ = strings.Cut(rss, "\n")
	return fmt.Sprintf("redis uses %.2f GB (%s resident), %.0f bytes a recording", n/1e9, strings.TrimSpace(rss), n/float64(*millionSize))
}

// saveSteadily saves 100 new recordings a second, and some of them once more,
// until stop is called.
func saveSteadily(t *testing.T, s *instance) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		w, saved := newWorld(2, 0), 0
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				ended <- saved
				return
			case <-tick.C:
				r := w.recording()
				r.Started = worldBegin.AddDate(worldYears, 0, 0).Add(time.Duration(saved) * time.Second)
				s.Save(r)
				saved++
			}
		}
	}()
	return func() int { cancel(); return <-ended }
}

// kind is a kind of query.
type kind struct {
	name string
	make func(w *world) Query
}

func kinds() []kind {
	in := func(q Query, w *world) Query { q.Organisations = []string{w.organisation()}; return q }
	period := func(q Query, w *world, d time.Duration) Query {
		q.From = worldBegin.Add(time.Duration(w.Int64N(worldYears * 360 * 24 * int64(time.Hour))))
		q.To = q.From.Add(d)
		return q
	}
	const day = 24 * time.Hour
	digits := func(w *world) string { n := w.outside(); return n[len(n)-4-w.IntN(4):] }
	return []kind{
		{"all organisations", func(w *world) Query { return Query{} }},
		{"one organisation", func(w *world) Query { return in(Query{}, w) }},
		{"three organisations", func(w *world) Query { return Query{Organisations: []string{"org-1", "org-5", "org-7"}} }},
		{"all, from anywhere", func(w *world) Query { return Query{Before: w.recording().Cursor()} }},
		{"one, from anywhere", func(w *world) Query { return in(Query{Before: w.recording().Cursor()}, w) }},
		{"all, a day", func(w *world) Query { return period(Query{}, w, day) }},
		{"one, a month", func(w *world) Query { return in(period(Query{}, w, 30*day), w) }},
		{"all, user", func(w *world) Query { return Query{User: w.user()} }},
		{"one, user", func(w *world) Query { return in(Query{User: w.user()}, w) }},
		{"all, number", func(w *world) Query { return Query{Number: w.outside()} }},
		{"one, our number", func(w *world) Query { q := in(Query{}, w); q.Number = w.number(q.Organisations[0]); return q }},
		{"all, group", func(w *world) Query { return Query{Group: w.group()} }},
		{"one, group", func(w *world) Query { return in(Query{Group: w.group()}, w) }},
		{"all, automatic", func(w *world) Query { return Query{Trigger: "automatic"} }},
		{"all, on demand", func(w *world) Query { return Query{Trigger: "on-demand"} }},
		{"all, problems", func(w *world) Query { return Query{OnlyProblems: true} }},
		{"one, problems", func(w *world) Query { return in(Query{OnlyProblems: true}, w) }},
		{"all, text: user", func(w *world) Query { return Query{Text: w.user()} }},
		{"all, text: beginning of users", func(w *world) Query { return Query{Text: w.user()[:3]} }},
		{"one, text: beginning of users", func(w *world) Query { return in(Query{Text: w.user()[:3]}, w) }},
		{"one, text: user less a digit", func(w *world) Query { u := w.user(); return in(Query{Text: u[:len(u)-1]}, w) }},
		{"all, text: end of a number", func(w *world) Query { return Query{Text: digits(w)} }},
		{"one, text: end of a number", func(w *world) Query { return in(Query{Text: digits(w)}, w) }},
		{"all, text: two digits", func(w *world) Query { return Query{Text: digits(w)[:2]} }},
		{"all, text: beginning of a number", func(w *world) Query { return Query{Text: w.outside()[:5+w.IntN(6)]} }},
		{"all, text: national number", func(w *world) Query { return Query{Text: "0" + w.outside()[3:]} }},
		{"all, text: 8 digits of an id", func(w *world) Query { return Query{Text: w.uuid()[:8]} }},
		{"all, text: id", func(w *world) Query { return Query{Text: w.uuid()} }},
		{"all, text: not there", func(w *world) Query { return Query{Text: "zebra" + w.uuid()} }},
		{"all, text: two words", func(w *world) Query { return Query{Text: w.user()[:3] + " " + digits(w)} }},
		{"all, text: two words often there", func(w *world) Query { return Query{Text: w.user()[:3] + " " + w.outside()[:5]} }},
		{"one, text: words never together", func(w *world) Query { return in(Query{Text: "alice heidi ivan"}, w) }},
		{"all, user and a month", func(w *world) Query { return period(Query{User: w.user()}, w, 30*day) }},
		{"one, user and a month", func(w *world) Query { return in(period(Query{User: w.user()}, w, 30*day), w) }},
		{"all, group, on demand, a quarter", func(w *world) Query {
			return period(Query{Group: w.group(), Trigger: "on-demand"}, w, 90*day)
		}},
		{"all, on demand and problems", func(w *world) Query { return Query{Trigger: "on-demand", OnlyProblems: true} }},
		{"all, user and group", func(w *world) Query { return Query{User: w.user(), Group: w.group()} }},
		{"all, group and automatic", func(w *world) Query { return Query{Group: w.group(), Trigger: "automatic"} }},
		{"own calls", func(w *world) Query { return in(Query{Only: Only{User: w.user()}}, w) }},
		{"own calls, text: digits", func(w *world) Query { return in(Query{Only: Only{User: w.user()}, Text: digits(w)}, w) }},
		{"own calls, text: often there", func(w *world) Query { return in(Query{Only: Only{User: w.user()}, Text: "4420"}, w) }},
		{"own calls, other user", func(w *world) Query { return in(Query{Only: Only{User: w.user()}, User: w.user()}, w) }},
		{"3 own groups", func(w *world) Query {
			return in(Query{Only: Only{Groups: []string{w.group(), w.group(), w.group()}}}, w)
		}},
		{"50 own groups", func(w *world) Query {
			q := in(Query{}, w)
			for range 50 {
				q.Only.Groups = append(q.Only.Groups, w.group())
			}
			return q
		}},
		{"50 own groups, user, text: digits", func(w *world) Query {
			q := in(Query{User: w.user(), Text: digits(w)[:3]}, w)
			for range 50 {
				q.Only.Groups = append(q.Only.Groups, w.group())
			}
			return q
		}},
	}
}

// measureAll measures all kinds, and the walk to the 10,000th page. It names
// those that are slow.
func measureAll(t *testing.T, s *instance) (slow []string) {
	report := func(name string, m *measured) {
		slices.Sort(m.times)
		p99 := m.percentile(0.99)
		if p99 >= 100*time.Millisecond {
			slow = append(slow, name)
		}
		t.Logf("%-36s %7s %7s %7s %7.1f %4.1f (%3d)", name, ms(m.percentile(0.5)), ms(p99), ms(m.percentile(1)),
			float64(m.found)/float64(m.queries), float64(len(m.times))/float64(m.queries), m.most)
	}
	for _, k := range kinds() {
		m, w := &measured{}, newWorld(3, 0)
		for end := time.Now().Add(kindTime); m.queries < *millionSamples && time.Now().Before(end); {
			q := k.make(w)
			q.Limit = 50
			m.page(t, s, q)
		}
		report(k.name, m)
	}
	m, q := &measured{}, Query{Limit: 50}
	last := &measured{}
	for n := 1; n <= 10_000; n++ {
		if n == 9_901 {
			report("all, pages 1 to 9,900", m)
			m = last
		}
		if q.Before = m.page(t, s, q); q.Before == (Cursor{}) {
			break
		}
	}
	if last.queries > 0 {
		report("all, pages 9,901 to 10,000", last)
	}
	return slow
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }

// measured is what some queries took.
type measured struct {
	times                []time.Duration // of each call
	queries, found, most int             // most calls for one page
}

func (m *measured) percentile(p float64) time.Duration {
	return m.times[min(int(math.Ceil(p*float64(len(m.times)))), len(m.times))-1]
}

// page asks until a page is full, and measures each call.
func (m *measured) page(t *testing.T, s *instance, q Query) (next Cursor) {
	t.Helper()
	m.queries++
	for calls, left := 1, q.Limit; ; calls++ {
		begin := time.Now()
		list, next, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		m.times = append(m.times, time.Since(begin))
		m.found += len(list)
		m.most = max(m.most, calls)
		if left -= len(list); left <= 0 || next == (Cursor{}) {
			return next
		}
		q.Before = next
	}
}
