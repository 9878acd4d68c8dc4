package recent

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"
)

func TestMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Map[string, int]{Limit: 3, Keep: time.Hour}
		for i, key := range []string{"a", "b", "c", "a", "d"} {
			m.Put(key, i)
		}
		m.Forget("c")
		m.Forget("nobody")
		if all := m.All(); !maps.Equal(all, map[string]int{"a": 3, "d": 4}) {
			t.Errorf("%v", all)
		}
		time.Sleep(30 * time.Minute)
		m.Put("e", 5)
		time.Sleep(30 * time.Minute)
		_, a := m.Get("a")
		if e, ok := m.Get("e"); a || !ok || e != 5 {
			t.Errorf("after an hour: %v, %d, %v", a, e, ok)
		}
		if all := m.All(); !maps.Equal(all, map[string]int{"e": 5}) {
			t.Errorf("%v", all)
		}
	})
}
