package policy

import (
	"testing"

	"tapedeck/flow"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func benchStore(b testing.TB) *instance {
	b.Helper()
	s := openWith(b, store.Config{Keys: []string{storetest.Key}}, storetest.NewSpy())
	if err := s.Apply(b.Context(), storetest.Policy(b, 1, 20, 500)); err != nil {
		b.Fatal(err)
	}
	return s
}

var (
	sinkInheritance flow.Inheritance
	sinkPolicy      *flow.Policy
)

func TestLookupsDoNotAllocate(t *testing.T) {
	s := benchStore(t)
	e := flow.Element{Kind: flow.User, ID: "user-250"}
	if n := testing.AllocsPerRun(1000, func() {
		var ok bool
		if sinkInheritance, ok = s.Inheritance("org-7", e); !ok {
			t.Fatal("not found")
		}
		sinkPolicy = s.Policy()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkInheritance(b *testing.B) {
	s := benchStore(b)
	e := flow.Element{Kind: flow.User, ID: "user-250"}
	b.ReportAllocs()
	for b.Loop() {
		sinkInheritance, _ = s.Inheritance("org-7", e)
	}
}

func BenchmarkPolicy(b *testing.B) {
	s := benchStore(b)
	b.ReportAllocs()
	for b.Loop() {
		sinkPolicy = s.Policy()
	}
}

// BenchmarkApply is a whole switch-over of 10000 elements and back to memory.
func BenchmarkApply(b *testing.B) {
	s := benchStore(b)
	policies := [2]*flow.Policy{storetest.Policy(b, 1, 20, 500), storetest.Policy(b, 2, 20, 500)}
	n := 0
	for b.Loop() {
		n++
		if err := s.Apply(b.Context(), policies[n%2]); err != nil {
			b.Fatal(err)
		}
	}
}
