package store_test

import (
	"strconv"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/calls"
	"tapedeck/store/storetest"
)

func TestEmbedded(t *testing.T) {
	testkit.NoLeaks(t)
	tell := storetest.NewSpy()
	s := openWith(t, tell.Config(), tell).run(t)
	if !s.Up() || !s.Alone() {
		t.Fatalf("up %v, alone %v", s.Up(), s.Alone())
	}
	// Long pipelines in both directions.
	p := storetest.Policy(t, 1, 20, 500)
	apply(t, s, p)
	s2 := openWith(t, store.Config{}, storetest.NewSpy())
	if n := len(s2.policy.Policy().Organisations); n != 0 {
		t.Errorf("another embedded server has %d organisations", n)
	}
	mustHave(t, s, p)
	for i := range 2000 {
		s.calls.Save(call("org-0", i, calls.On))
	}
	s.written(t)
	if list, err := s.calls.List(t.Context()); err != nil || len(list) != 2000 {
		t.Errorf("%d calls: %v", len(list), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s.Client().Get(t.Context(), "x").Err() == nil {
		t.Error("it serves after Close")
	}
}

// Run makes time pass in the embedded server.
func TestRunAgesTheEmbedded(t *testing.T) {
	testkit.NoLeaks(t)
	tell := storetest.NewSpy()
	s := openWith(t, tell.Config(), tell)
	for i := range 3 {
		if err := s.Client().Set(t.Context(), strconv.Itoa(i), "y", time.Second).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t)
	tell.Await(t, "the keys to expire", func() bool { return s.Client().Exists(t.Context(), "0", "1", "2").Val() == 0 })
}
