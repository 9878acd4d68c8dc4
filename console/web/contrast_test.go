package web

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// palette has the colours of the pages, by name, for one colour scheme.
type palette map[string][3]float64

var colourLine = regexp.MustCompile(`--([a-z-]+):\s*#([0-9a-f]{6});`)

// palettes reads them from the style sheet. The dark ones are in its first @media
// block.
func palettes(t *testing.T) map[string]palette {
	t.Helper()
	css, err := staticFiles.ReadFile("static/tapedeck.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark) {")
	dark, _, ended := strings.Cut(rest, "\n}\n")
	if !ok || !ended {
		t.Fatal("the style sheet has no dark colours where they are looked for")
	}
	return map[string]palette{"light": colours(t, light), "dark": colours(t, dark)}
}

func colours(t *testing.T, css string) palette {
	t.Helper()
	p := palette{}
	for _, m := range colourLine.FindAllStringSubmatch(css, -1) {
		n, err := strconv.ParseUint(m[2], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		p[m[1]] = [3]float64{float64(n >> 16), float64(n >> 8 & 255), float64(n & 255)}
	}
	return p
}

// luminance and contrast are defined in WCAG 2.2.
func luminance(c [3]float64) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := c[i] / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

func contrast(a, b [3]float64) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// mixed returns a colour laid over another with an opacity.
func mixed(over, ground [3]float64, opacity float64) (c [3]float64) {
	for i := range c {
		c[i] = over[i]*opacity + ground[i]*(1-opacity)
	}
	return c
}

// TestContrast: text has a contrast of at least 4.5, and what only has to be seen one of
// 3 (WCAG AA).
func TestContrast(t *testing.T) {
	text := map[string]string{ // ground: what is written on it
		"ground":      "ink soft link",
		"panel":       "ink soft link rec pause off good danger bad-ink",
		"hover":       "ink soft link rec pause off",
		"sunk":        "ink soft",
		"bar":         "bar-ink bar-soft",
		"primary":     "primary-ink",
		"danger":      "danger-ink",
		"chip":        "chip-ink",
		"warn-ground": "warn-ink",
		"bad-ground":  "bad-ink",
		"good-ground": "good-ink",
		"wave":        "soft pause ink",
	}
	seen := map[string]string{"panel": "edge focus rec pause off", "ground": "edge focus", "bar": "bar-ink", "hover": "edge"}
	for scheme, p := range palettes(t) {
		check := func(ground, names string, least float64) {
			for name := range strings.FieldsSeq(names) {
				a, known := p[name]
				b, also := p[ground]
				if got := contrast(a, b); !known || !also || got < least {
					t.Errorf("%s: %s on %s has %.2f, it needs %.1f", scheme, name, ground, got, least)
				}
			}
		}
		for ground, names := range text {
			check(ground, names, 4.5)
		}
		for ground, names := range seen {
			check(ground, names, 3)
		}
		if got := contrast(p["pause"], mixed(p["pause-fill"], p["wave"], 0.16)); got < 4.5 {
			t.Errorf("%s: the words on a paused stretch have %.2f", scheme, got)
		}
	}
}

// TestContrastIsRight: black on white has 21, and a well-known grey just enough.
func TestContrastIsRight(t *testing.T) {
	white := [3]float64{255, 255, 255}
	if got := contrast([3]float64{}, white); math.Abs(got-21) > 0.01 {
		t.Errorf("black on white has %.3f", got)
	}
	if got := contrast([3]float64{118, 118, 118}, white); got < 4.5 || got > 4.6 {
		t.Errorf("#767676 on white has %.3f", got)
	}
}

// TestColoursHaveNames: no rule has a colour of its own, which no test would check.
func TestColoursHaveNames(t *testing.T) {
	css, err := staticFiles.ReadFile("static/tapedeck.css")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(css), "\n") {
		if strings.Contains(line, "#") && !colourLine.MatchString(line) && regexp.MustCompile(`:[^;{]*#[0-9a-fA-F]{3,8}\b`).MatchString(line) {
			t.Errorf("line %d: %s", n+1, strings.TrimSpace(line))
		}
		for _, m := range regexp.MustCompile(`var\(--([a-z-]+)\)`).FindAllStringSubmatch(line, -1) {
			if _, ok := colours(t, string(css))[m[1]]; !ok {
				t.Errorf("line %d: there is no colour --%s", n+1, m[1])
			}
		}
	}
}
