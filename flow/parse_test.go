package flow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/strictyaml"
	"tapedeck/internal/testkit"
)

// parsed is a policy that has to be right.
func parsed(t testing.TB, files ...string) *Policy {
	t.Helper()
	p, err := parse(sources(files...), &strictyaml.Report{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sources(files ...string) (list []strictyaml.Source) {
	for i, text := range files {
		list = append(list, strictyaml.Source{Name: fmt.Sprintf("%c.yaml", 'a'+i), Text: []byte(text)})
	}
	return list
}

func TestExample(t *testing.T) {
	p, err := Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	every := Settings{Yes, Yes, Yes}
	want := &Organisation{
		ID: "acme", Name: "Acme Ltd", Brand: "north",
		Domains:    []string{"acme.example.net"},
		Recording:  true,
		Disclaimer: &Disclaimer{"this-call-is-recorded.wav", External},
		OnDemand:   OnDemand{DTMF: "*1", RecordKey: true, BlindTransfer: "*1", API: true, AutoResume: 10 * time.Minute},
		Retention:  90 * 24 * time.Hour,
		Numbers: map[string]*NumberEntry{
			"+442079460001": {every, Element{RingGroup, "sales"}},
			"+442079460002": {Record: Settings{Outbound: Force}},
		},
		RingGroups:   map[string]*RingGroupEntry{"sales": {Members: []string{"alice", "bob"}}},
		Applications: map[string]*ApplicationEntry{"reception": {Settings{No, No, No}}},
		Users: map[string]*UserEntry{
			"alice": {"1001", Settings{Inbound: Yes, Outbound: No}, Enable},
			"bob":   {Extension: "1002"},
		},
	}
	if err := want.compile(); err != nil {
		t.Fatal(err)
	}
	if got := p.Organisations["acme"]; !reflect.DeepEqual(got, want) {
		t.Errorf("acme is\n%+v, want\n%+v", got, want)
	}
	if p.Version != 1 || p.Region != "GB" || p.Precedence != Last || len(p.Organisations) != 1 {
		t.Errorf("the policy is %+v", p)
	}
}

// TestMistakes compares the report on a folder with every kind of mistake with
// a golden file; the lines are also marked in the files themselves, with "# !".
func TestMistakes(t *testing.T) {
	const folder = "testdata/mistakes"
	_, err := Load(folder)
	var report *strictyaml.Report
	if !errors.As(err, &report) {
		t.Fatalf("Load = %v, want a report", err)
	}
	testkit.Golden(t, folder+".golden", report.Error()+"\n")
	var got []string
	for _, m := range report.Mistakes {
		got = append(got, fmt.Sprintf("%s:%d", filepath.Base(m.File), m.Line))
	}
	if got, want := slices.Compact(got), marked(t, folder); !slices.Equal(got, want) {
		t.Errorf("mistakes at\n%v, marked at\n%v", got, want)
	}
}

// marked lists the lines with a mistake: the marked ones, and those of files
// that cannot hold a mark.
func marked(t *testing.T, folder string) []string {
	t.Helper()
	lines := []string{"comment.yaml:1", "empty.yaml:1", "old.yml:1", "two.yaml:2"}
	files, err := filepath.Glob(folder + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if bytes.Contains(line, []byte("# !")) {
				lines = append(lines, fmt.Sprintf("%s:%d", filepath.Base(file), i+1))
			}
		}
	}
	slices.SortFunc(lines, func(a, b string) int {
		var fa, fb string
		var la, lb int
		fa, la = split(a)
		fb, lb = split(b)
		if c := strings.Compare(fa, fb); c != 0 {
			return c
		}
		return la - lb
	})
	return lines
}

func split(place string) (file string, line int) {
	file, number, _ := strings.Cut(place, ":")
	fmt.Sscan(number, &line)
	return file, line
}

// organisation wraps the body of one organisation, from line 3 on.
func organisation(body string) string {
	return "version: 1\norganisations: { acme: {\n" + body + "\n} }\n"
}

func TestRefused(t *testing.T) {
	const gb = "version: 1\nregion: GB\norganisations:\n"
	for _, test := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"no version", []string{"region: GB\n", "precedence: first\n"}, []string{"a.yaml:1: the policy says no version: begin with version: 1"}},
		{"no mapping", []string{"- version\n"}, []string{"a.yaml:1: the policy is a list", "a.yaml:1: the policy says no version"}},
		{"a word", []string{"\n\nhello\n"}, []string{"a.yaml:1: the policy says no version", `a.yaml:3: the policy is the single value "hello"`}},
		{"version of another kind", []string{"version: [1]\n"}, []string{"a.yaml:1: version is a list"}},
		{"region twice", []string{"version: 1\nregion: GB\n", "region: GB\n"}, []string{"b.yaml:1: region is already said at a.yaml:2"}},
		{"precedence twice", []string{"version: 1\nprecedence: last\n", "version: 1\nprecedence: last\n"}, []string{"b.yaml:2: precedence is already said at a.yaml:2"}},
		{"unknown region", []string{"version: 1\nregion: XX\norganisations: { a: { numbers: { 02079460001: {} } } }\n"},
			[]string{`a.yaml:2: region is "XX", which is no country: write its ISO 3166 code, such as GB`}},
		{"region in lower case", []string{"version: 1\nregion: gb\n"}, []string{`a.yaml:2: region is "gb": write GB`}},
		{"national number without region", []string{organisation(`numbers: { "020 7946 0001": {} }`)},
			[]string{`a.yaml:3: number "020 7946 0001" cannot be read without a region: write it as + and country code, or say region: at the top`}},
		{"one number in two national forms", []string{gb + "  a: { numbers: { 02079460001: {} } }\n  b: { numbers: { '+44 (0)20 7946 0001': {} } }\n"},
			[]string{"a.yaml:5: number +442079460001 is already in organisation \"a\" (a.yaml:4)"}},
		{"one number in two files, the region in a third", []string{
			"organisations: { a: { numbers: { 02079460001: {} } } }\n",
			"organisations: { b: { numbers: { 442079460001: {} } } }\n", "version: 1\nregion: GB\n"},
			[]string{"b.yaml:1: number +442079460001 is already in organisation \"a\" (a.yaml:1)"}},
		{"a domain in two organisations", []string{gb + "  a: { domains: [Example.net] }\n  b: { domains: ['example.NET:5060'] }\n"},
			[]string{"a.yaml:5: domain example.net is already in organisation \"a\" (a.yaml:4)"}},
		{"an address in two organisations", []string{gb + "  a: { domains: ['2001:db8::1'] }\n  b: { domains: ['[2001:DB8:0::1]:5060'] }\n"},
			[]string{"a.yaml:5: domain 2001:db8::1 is already in organisation \"a\" (a.yaml:4)"}},
		{"organisation in two files", []string{gb + "  a: {}\n", "organisations:\n  b: {}\n  a: {}\n"},
			[]string{"b.yaml:3: organisation \"a\" is already at a.yaml:4"}},
		{"record: true", []string{organisation("users: { a: { record: true } }")}, []string{`a.yaml:3: record of user "a" is "true": write yes`}},
		{"record: false", []string{organisation("users: { a: { record: false } }")}, []string{`a.yaml:3: record of user "a" is "false": write no`}},
		{"record: null", []string{organisation("users: { a: { record: ~ } }")}, []string{`a.yaml:3: record of user "a" has no value`}},
		{"record: dont care", []string{organisation("users: { a: { record: { inbound: don't care } } }")}, []string{`a.yaml:3: record of user "a", inbound is "don't care": write dont-care`}},
		{"recording: 1", []string{organisation("recording: 1")}, []string{`a.yaml:3: recording of organisation "acme" is "1": write true or false`}},
		{"code of seven", []string{organisation(`on_demand: { dtmf: "1234567" }`)}, []string{`"1234567": write 1 to 6`}},
		{"code with a letter", []string{organisation(`on_demand: { blind_transfer: "*a" }`)}, []string{`"*a": write 1 to 6`}},
		{"empty code", []string{organisation(`on_demand: { dtmf: "" }`)}, []string{`"": write 1 to 6`}},
		{"code that is an alias", []string{organisation("on_demand: {\n# *1\n dtmf: *1 }")}, []string{`a.yaml:5: without quotes *1 refers to an anchor, and there is none of that name: write "*1"`}},
		{"code that is a star", []string{organisation("on_demand: {\n dtmf: **1 }")}, []string{`a.yaml:4: not valid YAML: * and & have a meaning of their own: put quotes around a code such as "*1"`}},
		{"a long id is cut", []string{organisation("users: { " + strings.Repeat("x", 100) + ": {} }")}, []string{`user "` + strings.Repeat("x", 60) + `"… has no valid id`}},
		{"tag", []string{organisation("users: { a: { extension: !!str 1 } }")}, []string{"a.yaml:3: the tag \"!!str\" has no meaning here: remove it"}},
		{"merge key", []string{organisation("users: { a: &a { record: yes }, b: { <<: *a } }")}, []string{`a.yaml:3: merge keys (<<) are not understood in user "b"`}},
		{"alias to a number twice", []string{gb + "  a: &a\n    numbers: { 02079460001: {} }\n  b: *a\n"}, []string{"a.yaml:5: number +442079460001 is already in organisation \"a\" (a.yaml:5)"}},
		{"alias within itself", []string{organisation("users: { a: &a { record: *a } }")}, []string{`unknown key "record" in record of user "a"`}},
		{"ids of several lines stay on one", []string{organisation(`ring_groups: { g: { members: ["1"] } }, numbers: { +442079460001: { route: user/x } }, users: { "a\nb": { extension: 1 } }`)}, []string{
			`a.yaml:3: "1" in members of ring group "g" is an extension: write the user's id, "a\nb"`,
			`a.yaml:3: route of number "+442079460001" is "user/x", which organisation "acme" does not have`,
			`a.yaml:3: user "a\nb" has no valid id`}},
		{"UTF-16", []string{"\xff\xfev\x00"}, []string{"a.yaml:1: the text is not UTF-8"}},
		{"NUL", []string{"version: 1\n#\x00"}, []string{"a.yaml:2: the control character U+0000"}},
		{"deep", []string{strings.Repeat("[", 100_000)}, []string{"a.yaml:1: not valid YAML: exceeded max depth"}},
		{"too large", []string{"version: 1\n#" + strings.Repeat("x", 16<<20)}, []string{"a.yaml:1: the file is larger than 16 MB"}},
	} {
		_, err := parse(sources(test.files...), &strictyaml.Report{})
		var report *strictyaml.Report
		if !errors.As(err, &report) {
			t.Errorf("%s: %v, want a report", test.name, err)
			continue
		}
		if len(report.Mistakes) != len(test.want) {
			t.Errorf("%s: %d mistakes, want %d:\n%v", test.name, len(report.Mistakes), len(test.want), err)
			continue
		}
		for i, m := range report.Mistakes {
			if !strings.Contains(m.String(), test.want[i]) {
				t.Errorf("%s: %s, want %s", test.name, m, test.want[i])
			}
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, test := range []struct {
		name string
		file string
		want func(o *Organisation) bool
	}{
		{"recording is the default", organisation(""), func(o *Organisation) bool { return o.Recording }},
		{"recording: false", organisation("recording: false"), func(o *Organisation) bool { return !o.Recording }},
		{"yes without quotes", organisation("users: { a: { record: yes } }"), func(o *Organisation) bool { return o.Users["a"].Record == Settings{Yes, Yes, Yes} }},
		{"no in quotes", organisation(`users: { a: { record: "no" } }`), func(o *Organisation) bool { return o.Users["a"].Record == Settings{No, No, No} }},
		{"an absent direction", organisation("users: { a: { record: { internal: never } } }"), func(o *Organisation) bool { return o.Users["a"].Record == Settings{Internal: Never} }},
		{"no setting", organisation("users: { a: }"), func(o *Organisation) bool { return o.Users["a"].Record == Settings{} }},
		{"sections without content", organisation("users: ,\nnumbers: ,\ndomains: "), func(o *Organisation) bool { return len(o.Users) == 0 }},
		{"extension without quotes", organisation("users: { a: { extension: 0012 }, b: { extension: 1e3 } }"), func(o *Organisation) bool { return o.Users["a"].Extension == "0012" && o.Users["b"].Extension == "1e3" }},
		{"extension that is the user's own id", organisation("users: { 1001: { extension: 1001 } }"), func(o *Organisation) bool { return o.Users["1001"].Extension == "1001" }},
		{"number without quotes", organisation("numbers: { +442079460001: { record: force } }"), func(o *Organisation) bool { return o.Numbers["+442079460001"].Record[Inbound] == Force }},
		{"code of digits", organisation("on_demand: { dtmf: 012 }"), func(o *Organisation) bool { return o.OnDemand.DTMF == "012" }},
		{"ids", organisation("users: { a-b_c.1: {} }\n,ring_groups: { a-b_c.1: { members: [a-b_c.1] } }"), func(o *Organisation) bool { return o.RingGroups["a-b_c.1"].Members[0] == "a-b_c.1" }},
		{"domain", organisation("domains: [B.example.net., 192.0.2.1, a.example.net:5060, 'xn--bcher-kva.example']"), func(o *Organisation) bool {
			return slices.Equal(o.Domains, []string{"192.0.2.1", "a.example.net", "b.example.net", "xn--bcher-kva.example"})
		}},
		{"disclaimer to nobody in particular", organisation("disclaimer: { play: a.wav }"), func(o *Organisation) bool { return *o.Disclaimer == Disclaimer{"a.wav", External} }},
		{"grants", organisation("users: { a: { on_demand: override }, b: { on_demand: disable }, c: { on_demand: enable } }"), func(o *Organisation) bool {
			return o.Users["a"].OnDemand == Override && o.Users["b"].OnDemand == Disable && o.Users["c"].OnDemand == Enable
		}},
		{"alias of a value", organisation("users: { a: { record: &r { inbound: yes } }, b: { record: *r }, c: &c { on_demand: disable }, d: *c }"), func(o *Organisation) bool {
			return o.Users["b"].Record == Settings{Inbound: Yes} && o.Users["d"].OnDemand == Disable
		}},
		{"a byte order mark and Windows lines", "\ufeffversion: 1\r\norganisations:\r\n  acme:\r\n    name: A\r\n", func(o *Organisation) bool { return o.Name == "A" }},
		{"comments alone around it", "# a\n---\n" + organisation("") + "# b\n...\n", func(o *Organisation) bool { return o.ID == "acme" }},
	} {
		p, err := parse(sources(test.file), &strictyaml.Report{})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if o := p.Organisations["acme"]; o == nil || !test.want(o) {
			t.Errorf("%s: %+v", test.name, o)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration // 0: refused
	}{
		{"90d", 90 * 24 * time.Hour}, {"1d12h", 36 * time.Hour}, {"10m", 10 * time.Minute}, {"1h30m", 90 * time.Minute},
		{"0d1s", time.Second}, {"1.5h", 90 * time.Minute}, {"106751d", 106751 * 24 * time.Hour},
		{"", 0}, {"0", 0}, {"0s", 0}, {"0d", 0}, {"10", 0}, {"d", 0}, {"-1d", 0}, {"-1h", 0}, {"1d-1h", 0}, {"1d+1h", 0}, {"1.5d", 0},
		{"1d1d", 0}, {"1dx", 0}, {"106752d", 0}, {"106751d24h", 0}, {"99999999999999999999d", 0}, {"1 d", 0}, {"forever", 0},
	} {
		got, err := ParseDuration(test.text)
		if got != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("ParseDuration(%q) = %s, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestLoadFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(filepath.Join(dir, "absent.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "the folder holds no policy") {
		t.Errorf("an empty folder: %v", err)
	}
	write("10-acme.yaml", "version: 1\norganisations:\n  acme: { numbers: { 02079460001: {} } }\n")
	write("20-brook.yaml", "version: 1\norganisations:\n  brook: { domains: [brook.example.net] }\n")
	write("main.yaml", "version: 1\nregion: GB\nprecedence: first\n")
	write("README.txt", "not a policy")
	write(".main.yaml.swp", "not a policy")
	write(".#main.yaml", "not a policy")
	if err := os.Mkdir(filepath.Join(dir, "old.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	folder, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	one := parsed(t, "version: 1\nregion: GB\nprecedence: first\norganisations:\n  brook: { domains: [Brook.example.net:5060] }\n  acme: { numbers: { '+44 20 7946 0001': { record: dont-care } } }\n")
	if folder.Revision != one.Revision || len(one.Revision) != 64 {
		t.Errorf("revision %s of the folder, %s of the same in one file", folder.Revision, one.Revision)
	}
	if other := parsed(t, "version: 1\n"); other.Revision == one.Revision {
		t.Error("another policy has the same revision")
	}
}

// TestBomb: aliases that would make a hundred million values are given up, in
// bounded memory.
func TestBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\norganisations:\n  a0: &o\n    users: &u\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "      u%d: {}\n", i)
	}
	for i := range 10_000 {
		fmt.Fprintf(&b, "  a%d: *o\n", i+1)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := parse(sources(b.String()), &strictyaml.Report{})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "aliases make more than 500000 values") {
		t.Errorf("the error is %.200v", err)
	}
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 1024 {
		t.Errorf("%d MB allocated", mb)
	}
}

func TestReportIsBounded(t *testing.T) {
	_, err := parse(sources("version: 1\n"+strings.Repeat("x: 1\n", 50_000)), &strictyaml.Report{})
	var report *strictyaml.Report
	if !errors.As(err, &report) || len(report.Mistakes) != 10_000 || !strings.HasSuffix(err.Error(), "the rest is not shown") {
		t.Errorf("the report has %d mistakes", len(report.Mistakes))
	}
}
