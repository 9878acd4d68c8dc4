package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tapedeck/esl"
)

func TestStoreKeys(t *testing.T) {
	one, two := strings.Repeat("1", 32), strings.Repeat("2", 32)
	for text, want := range map[string][]string{
		one: {one}, one + "\n": {one}, one + "\r\n" + two + "\n": {one, two}, "": nil, "\n": nil, one[1:]: nil, one + "\n\n" + two: nil,
		one + "\n" + two[1:]: nil, one + " " + two: nil, one + "\n" + two + "\n" + one: nil,
	} {
		file := filepath.Join(t.TempDir(), "store.key")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := Store{Redis: esl.NewSecret("redis://h:1"), KeyFile: file}
		keys, open, err := s.Keys()
		if !reflect.DeepEqual(keys, want) || (err == nil) != (want != nil) || open {
			t.Errorf("%q: %q, %v, %v", text, keys, open, err)
		}
		if err != nil && strings.Contains(err.Error(), one[1:]) {
			t.Errorf("the error shows the secret: %v", err)
		}
		if err := os.Chmod(file, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, open, _ := s.Keys(); open != (want != nil) {
			t.Errorf("%q, mode 640: %v", text, open)
		}
	}
	absent := Store{Redis: esl.NewSecret("redis://h:1"), KeyFile: filepath.Join(t.TempDir(), "absent")}
	if keys, _, err := absent.Keys(); keys != nil || err != nil {
		t.Errorf("a file that is not named and not there: %q, %v", keys, err)
	}
	absent.KeyNamed = true
	if _, _, err := absent.Keys(); err == nil || !strings.Contains(err.Error(), "tapedeck store key") {
		t.Errorf("a file that is named and not there: %v", err)
	}
	absent.Redis = esl.NewSecret("embedded")
	if keys, _, err := absent.Keys(); keys != nil || err != nil {
		t.Errorf("embedded: %q, %v", keys, err)
	}
}
