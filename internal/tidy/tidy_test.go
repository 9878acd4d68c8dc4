package tidy

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, test := range []struct {
		text string
		max  int
		want string
	}{
		{"+44 20 7946 0001", 64, "+44 20 7946 0001"},
		{" a\tb\r\nc\u2028d ", 64, "a b  c d"},
		{"a\x00b\x1b[2Jc\u200bd\u202ee\xff\xfef", 64, "a\ufffdb\ufffd[2Jc\ufffdd\ufffde\ufffd\ufffdf"},
		{"Zoë Łukasz 李", 64, "Zoë Łukasz 李"},
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"日本語", 8, "日…"},
		{strings.Repeat("x", 1<<20), 5, "xx…"},
		{"", 5, ""},
	} {
		if got := Text(test.text, test.max); got != test.want {
			t.Errorf("Text(%.20q, %d) = %q, want %q", test.text, test.max, got, test.want)
		}
	}
}

func TestIsWord(t *testing.T) {
	for text, want := range map[string]bool{"acme.example.net": true, "127.0.0.1:5060": true, "[::1]:5060": true, "": false,
		"acme.example.net:${system(reboot)}": false, "acme.example.net:,a=b": false, "acme.example.net:5060 x": false, "acme\n": false} {
		if IsWord(text) != want {
			t.Errorf("%q: got %t", text, !want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x00\u202eb", 10)
	f.Fuzz(func(t *testing.T, text string, max int) {
		max = 3 + max&0xff
		got := Text(text, max)
		if len(got) > max || !utf8.ValidString(got) || Text(got, max) != got {
			t.Fatalf("Text(%q, %d) = %q, again %q", text, max, got, Text(got, max))
		}
		for _, r := range got {
			if unicode.Is(unicode.C, r) || r != ' ' && unicode.Is(unicode.Z, r) {
				t.Fatalf("Text(%q, %d) = %q", text, max, got)
			}
		}
	})
}
