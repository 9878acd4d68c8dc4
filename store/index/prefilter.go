package index

import (
	"bytes"
	"slices"
	"strings"
)

// mayMatch reports whether a recording, as JSON from Redis, may have all words. It
// is much quicker than decoding the JSON. It is never wrong when it reports false:
// it looks where encoding/json puts the fields of a Recording, and a key with its
// quotes cannot be inside a string.
func (q *matcher) mayMatch(id string, text []byte) bool {
	if len(q.words) == 0 {
		return true
	}
	text, _, found := bytes.Cut(text, []byte(`,"started":"`))
	external, ok := stringOf(text, `,"external":"`)
	number, also := stringOf(text, `,"number":"`)
	if !found || !ok || !also {
		return true
	}
	names, id := "", fold(id)
	for _, key := range []string{`,"users":[`, `,"groups":[`, `,"trigger":"`, `,"requested_by":"`} {
		if i := bytes.Index(text, []byte(key)); i >= 0 {
			names = string(bytes.ToLower(text[i:]))
			break
		}
	}
	return !slices.ContainsFunc(q.words, func(w word) bool {
		return !escaped(w.text) && !strings.Contains(names, w.text) && !strings.HasPrefix(id, w.text) &&
			!w.inNumber(external) && !w.inNumber(number)
	})
}

// stringOf is the string after a key; it is empty if the key is not there. It
// reports false if the string has escapes.
func stringOf(text []byte, key string) (value string, ok bool) {
	i := bytes.Index(text, []byte(key))
	if i < 0 {
		return "", true
	}
	text = text[i+len(key):]
	end := bytes.IndexByte(text, '"')
	if end < 0 || bytes.IndexByte(text[:end], '\\') >= 0 {
		return "", false
	}
	return string(text[:end]), true
}

// escaped reports whether a text may be written differently in JSON.
func escaped(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) })
}
