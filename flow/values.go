package flow

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"

	maxID   = 64
	maxCode = 6
	maxName = 200
)

// only reports whether text has 1 to longest bytes, all of them from alphabet.
func only(alphabet, text string, longest int) bool {
	return text != "" && len(text) <= longest && strings.Trim(text, alphabet) == ""
}

// Ids are part of file names, Redis keys and channel variables.
func isOrganisationID(s string) bool { return only(lower+digits+"-", s, maxID) }
func isElementID(s string) bool      { return only(lower+digits+"-_.", s, maxID) }
func isCode(s string) bool           { return only(digits+"*#", s, maxCode) }
func isExtension(s string) bool {
	return only(lower+strings.ToUpper(lower)+digits+"-_.+*#", s, maxID)
}

// isPlayable accepts the names that FreeSWITCH takes as one argument.
func isPlayable(s string) bool {
	return only(lower+strings.ToUpper(lower)+digits+"_./:-", s, 255)
}

// isDomain accepts an address or a name in the form that hostOf returns.
func isDomain(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for label := range strings.SplitSeq(s, ".") {
		if !only(lower+digits+"-_", label, 63) {
			return false
		}
	}
	return len(s) <= 253
}

// ParseDuration reads a Go duration that may begin with a number of days: 90d,
// 1d12h, 10m. It is positive.
func ParseDuration(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > uint64(math.MaxInt64/day) {
		return 0, fmt.Errorf("bad duration %s", strictyaml.Quoted(s))
	}
	d := time.Duration(n) * day
	if rest != "" {
		r, err := time.ParseDuration(rest)
		if err != nil || rest[0] == '-' || rest[0] == '+' {
			return 0, fmt.Errorf("bad duration %s", strictyaml.Quoted(s))
		}
		d += r
	} else if !found {
		return 0, errors.New("no duration")
	}
	if d <= 0 { // zero, or an overflow
		return 0, fmt.Errorf("bad duration %s", strictyaml.Quoted(s))
	}
	return d, nil
}

// name reads a text that people read: one line.
func (p *parser) name(n *yaml.Node, what string, value *string) {
	text, at, ok := p.Text(n, what)
	switch {
	case !ok:
	case strings.TrimSpace(text) == "" || len(text) > maxName || strings.ContainsFunc(text, unicode.IsControl):
		p.MistakeAt(at, "%s is %s: write one line of 1 to %d bytes", what, strictyaml.Quoted(text), maxName)
	default:
		*value = text
	}
}

// word reads a text that valid accepts. instead says what to write otherwise.
func (p *parser) word(n *yaml.Node, what string, valid func(string) bool, instead string, value *string) {
	text, at, ok := p.Text(n, what)
	switch {
	case !ok:
	case !valid(text):
		p.MistakeAt(at, "%s is %s: write %s", what, strictyaml.Quoted(text), instead)
	default:
		*value = text
	}
}

// duration reads what ParseDuration does.
func (p *parser) duration(n *yaml.Node, what string, value *time.Duration) {
	text, at, ok := p.Text(n, what)
	if !ok {
		return
	}
	d, err := ParseDuration(text)
	if err != nil {
		p.MistakeAt(at, "%s is %s: write a number and a unit (s, m, h or d), such as 10m or 90d", what, strictyaml.Quoted(text))
		return
	}
	*value = d
}

// boolean reads true or false, and not the yes and no of older YAML: these are
// settings here.
func (p *parser) boolean(n *yaml.Node, what string, value *bool) {
	text, at, ok := p.Text(n, what)
	switch {
	case !ok:
	case text == "true" || text == "false":
		*value = text == "true"
	default:
		p.MistakeAt(at, "%s is %s: write true or false", what, strictyaml.Quoted(text))
	}
}

// record reads one setting for all directions, or a mapping with one for each.
func (p *parser) record(n *yaml.Node, what string, value *Settings) {
	if strictyaml.Target(n).Kind != yaml.MappingNode {
		var s Setting
		p.setting(n, "record of "+what, &s)
		*value = Settings{s, s, s}
		return
	}
	known := map[string]func(*yaml.Node){}
	for d := range directions {
		known[d.String()] = func(v *yaml.Node) { p.setting(v, "record of "+what+", "+d.String(), &value[d]) }
	}
	p.Fields(n, "record of "+what, known)
}

// meant is the setting behind what people write who know another program, or YAML's
// booleans.
var meant = map[string]Setting{
	"true": Yes, "on": Yes, "y": Yes, "always": Force, "forced": Force,
	"false": No, "off": No, "n": No,
	"dontcare": DontCare, "dont_care": DontCare, "dont care": DontCare, "don't care": DontCare, "don't-care": DontCare, "null": DontCare,
}

// setting reads the name of a setting, and says which one was probably meant.
func (p *parser) setting(n *yaml.Node, what string, value *Setting) {
	text, at, ok := p.Text(n, what)
	if !ok {
		return
	}
	s, err := ParseSetting(text)
	if err == nil {
		*value = s
		return
	}
	folded := strings.ToLower(text)
	if s, err = ParseSetting(folded); err != nil {
		var guessed bool
		if s, guessed = meant[folded]; !guessed {
			p.MistakeAt(at, "%s is %s: write yes, no, dont-care, force or never", what, strictyaml.Quoted(text))
			return
		}
	}
	p.MistakeAt(at, "%s is %s: write %s (the settings are yes, no, dont-care, force and never)", what, strictyaml.Quoted(text), s)
}
