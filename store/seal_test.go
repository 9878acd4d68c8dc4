package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

// sealing opens a Conn that has these keys.
func sealing(t *testing.T, keys ...string) (*store.Conn, *storetest.Spy) {
	t.Helper()
	tell := storetest.NewSpy()
	cfg := tell.Config()
	cfg.Keys = keys
	return storetest.OpenWith(t, cfg), tell
}

// A seal is valid for its text, its kind and its place, and for nothing else.
func TestSeal(t *testing.T) {
	conn, tell := sealing(t, storetest.Key)
	s, body := conn.NewSeal("call"), []byte(`{"a":1}`)
	seal := s.Sum(body, "k", "x")
	if _, err := s.Check(seal, body, "k", "x"); err != nil {
		t.Fatal(err)
	}
	for i, err := range []error{
		second(s.Check(seal, []byte(`{"a":2}`), "k", "x")), second(s.Check(seal, body, "k")), second(s.Check(seal, body, "kx")),
		second(s.Check(seal, body, "", "kx")), second(s.Check(seal, body, "x", "k")), second(s.Check(seal, append([]byte("x"), body...), "k")),
		second(s.Check("", body, "k", "x")), second(s.Check(seal[:42], body, "k", "x")), second(s.Check(seal+"A", body, "k", "x")),
		second(conn.NewSeal("session").Check(seal, body, "k", "x")),
	} {
		if !errors.Is(err, store.ErrForged) || !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := tell.Forged("call"); n != 9 {
		t.Errorf("%d were not believed", n)
	}
	if n := tell.Logged("record in redis is not believed"); n != 2 { // one of each kind
		t.Errorf("logged %d times:\n%s", n, tell.Log())
	}
}

func second(_ int, err error) error { return err }

// A sealed object is the object with one field more, at its end.
func TestSealedJSON(t *testing.T) {
	conn, _ := sealing(t, storetest.Key)
	s := conn.NewSeal("call")
	text := s.JSON([]byte(`{"a":"}"}`), "k")
	var read struct{ A, Seal string }
	if err := json.Unmarshal(text, &read); err != nil || read.A != "}" || len(read.Seal) != 43 {
		t.Errorf("%s: %+v, %v", text, read, err)
	}
	if key, err := s.CheckJSON(text, "k"); key != 0 || err != nil {
		t.Errorf("key %d: %v", key, err)
	}
	for _, bad := range []string{
		"", "{}", `{"a":"}"}`, `"}`, `,"seal":"`, string(text) + " ", string(text[1:]), string(text[:len(text)-1]),
		strings.Replace(string(text), `"a"`, `"b"`, 1), strings.Replace(string(text), `,"seal"`, `, "seal"`, 1), string(text[:len(text)-1]) + `,"a":"x"}`,
	} {
		if _, err := s.CheckJSON([]byte(bad), "k"); !errors.Is(err, store.ErrForged) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	other, _ := sealing(t, strings.Repeat("n", 32), storetest.Key)
	if key, err := other.NewSeal("call").CheckJSON(text, "k"); key != 1 || err != nil {
		t.Errorf("key %d: %v", key, err)
	}
	none, _ := sealing(t)
	if key, err := none.NewSeal("call").CheckJSON([]byte("anything"), "k"); key != 0 || err != nil {
		t.Errorf("without a key: %d, %v", key, err)
	}
}

// No seal and no log has the secret in it.
func TestSealsDoNotTell(t *testing.T) {
	conn, tell := sealing(t, storetest.Key)
	s := conn.NewSeal("call")
	_, err := s.Check("x", nil, "k")
	if told := fmt.Sprint(err, tell.Log(), string(s.Text([]byte("x"), "k"))); strings.Contains(told, storetest.Key) {
		t.Error(told)
	}
}

func BenchmarkSeal(b *testing.B) {
	conn := storetest.OpenWith(b, store.Config{Keys: []string{storetest.Key}})
	for _, size := range []int{200, 2000} {
		text := []byte(`{"a":"` + strings.Repeat("x", size) + `"}`)
		s := conn.NewSeal("call")
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				s.JSON(text, "tapedeck:{acme}:live:x", "instance", "1")
			}
		})
	}
}
