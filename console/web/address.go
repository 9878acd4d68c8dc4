package web

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// withoutEmpty removes the values that a form has sent empty, so that the address
// of a view has only what counts. It reports whether there were any.
func withoutEmpty(values url.Values) (url.Values, bool) {
	clean := maps.Clone(values)
	maps.DeleteFunc(clean, func(_ string, all []string) bool {
		return !slices.ContainsFunc(all, func(v string) bool { return strings.TrimSpace(v) != "" })
	})
	return clean, len(clean) != len(values)
}

// pageAddress returns a path with its query, if there is one.
func pageAddress(path string, v url.Values) string {
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// sentence makes a sentence of an error's text.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}
