package flow

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const lookupPolicy = `
version: 1
region: GB
precedence: first
organisations:
  acme:
    domains: [Acme.example.net, "2001:db8::1"]
    numbers:
      "+442079460001": { record: yes, route: ring_group/sales }
      "+442079460002": { route: user/bob }
      "+442079460003": { route: application/ivr }
      "+442079460004": { record: never }
      "+12015550123": { record: { outbound: force } }
    ring_groups:
      sales: { record: { inbound: no }, members: [carol, alice] }
      empty: {}
    applications:
      ivr: { record: { internal: yes } }
    users:
      alice: { extension: "1001", record: { inbound: yes, outbound: no } }
      bob: { extension: "1002", on_demand: override }
      carol: { extension: "*99", record: { inbound: force } }
  brook:
    recording: false
    domains: [brook.example.net]
    numbers: { "+442079460099": {} }
    users: { alice: { extension: "1001" } }
`

func TestFindNumber(t *testing.T) {
	p := parsed(t, lookupPolicy)
	for _, test := range []struct{ raw, organisation, e164 string }{
		{"+442079460001", "acme", "+442079460001"},
		{"02079460001", "acme", "+442079460001"},
		{"00442079460001", "acme", "+442079460001"},
		{"442079460001", "acme", "+442079460001"},
		{"+44 20 7946 0001", "acme", "+442079460001"},
		{"sip:02079460099@carrier.example.net:5060;user=phone", "brook", "+442079460099"},
		{"+12015550123", "acme", "+12015550123"},
		{"12015550123", "acme", "+12015550123"}, // not British, and known exactly so
		{"0012015550123", "acme", "+12015550123"},
		{"2015550123", "", "+442015550123"}, // a British number, if anything
		{"+442079460005", "", "+442079460005"},
		{"1001", "", ""},
		{"anonymous", "", ""},
		{"", "", ""},
	} {
		o, e164, ok := p.FindNumber(test.raw)
		if ok != (test.organisation != "") || e164 != test.e164 || ok && o.ID != test.organisation || !ok && o != nil {
			t.Errorf("FindNumber(%q) = %+v, %q, %t, want %q, %q", test.raw, o, e164, ok, test.organisation, test.e164)
		}
	}
}

func TestOrganisationByDomain(t *testing.T) {
	p := parsed(t, lookupPolicy)
	for domain, want := range map[string]string{
		"acme.example.net":           "acme",
		"ACME.Example.NET":           "acme",
		"acme.example.net:5060":      "acme",
		"acme.example.net.":          "acme",
		"brook.example.net":          "brook",
		"2001:db8::1":                "acme",
		"[2001:db8::1]":              "acme",
		"[2001:DB8:0:0::1]:5061":     "acme",
		"2001:db8::2":                "",
		"example.net":                "",
		"x.acme.example.net":         "",
		"acme.example.net ":          "",
		"":                           "",
		":5060":                      "",
		"[":                          "",
		strings.Repeat("a", 100_000): "",
	} {
		o, ok := p.OrganisationByDomain(domain)
		if ok != (want != "") || ok && o.ID != want {
			t.Errorf("OrganisationByDomain(%.60q) = %v, %t, want %q", domain, o, ok, want)
		}
	}
}

func TestFindUser(t *testing.T) {
	acme := parsed(t, lookupPolicy).Organisations["acme"]
	for key, want := range map[string]string{
		"alice": "alice", "1001": "alice", "bob": "bob", "1002": "bob", "*99": "carol",
		"Alice": "", "1003": "", "": "", "dave": "",
	} {
		id, u, ok := acme.FindUser(key)
		if id != want || ok != (want != "") || u != acme.Users[want] {
			t.Errorf("FindUser(%q) = %q, %v, %t, want %q", key, id, u, ok, want)
		}
	}
}

func TestInheritance(t *testing.T) {
	acme := parsed(t, lookupPolicy).Organisations["acme"]
	alice := Lead{Element{User, "alice"}, Settings{Inbound: Yes, Outbound: No}}
	bob := Lead{Element: Element{User, "bob"}}
	carol := Lead{Element{User, "carol"}, Settings{Inbound: Force}}
	sales := Lead{Element{RingGroup, "sales"}, Settings{Inbound: No}}
	ivr := Lead{Element{Application, "ivr"}, Settings{Internal: Yes}}
	for _, test := range []struct {
		element  string
		settings Settings
		leads    []Lead
	}{
		{"number/+442079460001", Settings{Yes, Yes, Yes}, []Lead{sales, carol, alice}},
		{"number/+442079460002", Settings{}, []Lead{bob}},
		{"number/+442079460003", Settings{}, []Lead{ivr}},
		{"number/+442079460004", Settings{Never, Never, Never}, nil},
		{"ring_group/sales", sales.Settings, []Lead{carol, alice}},
		{"ring_group/empty", Settings{}, nil},
		{"application/ivr", ivr.Settings, nil},
		{"user/alice", alice.Settings, nil},
	} {
		e, err := ParseElement(test.element)
		if err != nil {
			t.Fatal(err)
		}
		want := Inheritance{
			Organisation: "acme", Recording: true, Precedence: First,
			Element: e, Settings: test.settings, Leads: test.leads,
			Ahead: SettingSets{Inbound: set(DontCare, Yes, Force), Outbound: set(DontCare, No), Internal: set(DontCare)},
		}
		got, ok := acme.Inheritance(e)
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("Inheritance(%s) = %+v, %t, want %+v", e, got, ok, want)
		}
		if all := acme.Inheritances()[e]; !reflect.DeepEqual(all, want) {
			t.Errorf("Inheritances()[%s] = %+v, want %+v", e, all, want)
		}
		back := Inheritance{}
		text, err := json.Marshal(got)
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || !reflect.DeepEqual(back, want) {
			t.Errorf("%s comes back as %+v, %v", text, back, err)
		}
	}
	if n := len(acme.Inheritances()); n != 5+2+1+3 {
		t.Errorf("%d inheritances, want one for each element", n)
	}
}

func TestUnknownElement(t *testing.T) {
	acme := parsed(t, lookupPolicy).Organisations["acme"]
	for _, e := range []Element{{Application, "whatever"}, {User, "1001"}, {Number, "02079460001"}, {"queue", "sales"}, {}} {
		if in, ok := acme.Inheritance(e); ok {
			t.Errorf("Inheritance(%s) = %+v, want none", e, in)
		}
		in := acme.Unknown(e)
		if in.Element != e || in.Settings != (Settings{}) || !in.Recording || in.Precedence != First || in.Ahead != acme.ahead || in.Leads != nil {
			t.Errorf("Unknown(%s) = %+v", e, in)
		}
	}
}

// TestInheritanceJSON pins the form that the store keeps.
func TestInheritanceJSON(t *testing.T) {
	in, _ := parsed(t, lookupPolicy).Organisations["acme"].Inheritance(Element{Number, "+442079460002"})
	got, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"organisation":"acme","recording":true,"precedence":"first","element":"number/+442079460002",` +
		`"settings":{"inbound":"dont-care","outbound":"dont-care","internal":"dont-care"},` +
		`"leads":[{"element":"user/bob","settings":{"inbound":"dont-care","outbound":"dont-care","internal":"dont-care"}}],` +
		`"ahead":{"inbound":["dont-care","yes","force"],"outbound":["dont-care","no"],"internal":["dont-care"]}}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func set(list ...Setting) (s SettingSet) {
	for _, one := range list {
		s.Add(one)
	}
	return s
}

// TestJSON: a policy comes back from JSON whole and ready, and so does each
// organisation alone.
func TestJSON(t *testing.T) {
	p := parsed(t, lookupPolicy)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Policy
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, &back) {
		t.Errorf("the policy comes back as\n%+v, want\n%+v", back, p)
	}
	for id, o := range p.Organisations {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var alone Organisation
		if err := json.Unmarshal(text, &alone); err != nil || !reflect.DeepEqual(o, &alone) {
			t.Errorf("organisation %s comes back as\n%+v, %v, want\n%+v", id, alone, err, o)
		}
	}
}

func TestJSONRefused(t *testing.T) {
	for _, text := range []string{
		`{"precedence":"newest"}`,
		`{"organisations":{"a":null}}`,
		`{"organisations":{"a":{"id":"b","precedence":"last"}}}`,
		`{"organisations":{"a":{"users":{"x":null}}}}`,
		`{"organisations":{"a":{"numbers":{"+441":null}}}}`,
		`{"organisations":{"a":{"ring_groups":{"x":null}}}}`,
		`{"organisations":{"a":{"applications":{"x":null}}}}`,
		`{"organisations":{"a":{"users":{"x":{"extension":"1"},"y":{"extension":"1"}}}}}`,
		`{"organisations":{"a":{"numbers":{"+441":{}}},"b":{"numbers":{"+441":{}}}}}`,
		`{"organisations":{"a":{"domains":["x"]},"b":{"domains":["X"]}}}`,
		`{"organisations":{"a":{"users":{"x":{"record":{"sideways":"yes"}}}}}}`,
		`{"organisations":{"a":{"users":{"x":{"record":{"inbound":"perhaps"}}}}}}`,
		`{"organisations":{"a":{"users":{"x":{"record":["yes"]}}}}}`,
		`{"organisations":{"a":{"users":{"x":{"on_demand":"allow"}}}}}`,
		`{"organisations":{"a":{"numbers":{"+441":{"route":"sales"}}}}}`,
	} {
		var p Policy
		if err := json.Unmarshal([]byte(text), &p); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// TestText: every word of the policy comes back from its text.
func TestText(t *testing.T) {
	for d := range directions {
		if got, err := ParseDirection(d.String()); err != nil || got != d {
			t.Errorf("direction %s: %v, %v", d, got, err)
		}
	}
	for s := range settings {
		if got, err := ParseSetting(s.String()); err != nil || got != s {
			t.Errorf("setting %s: %v, %v", s, got, err)
		}
	}
	for g := range grants {
		if got, err := parseGrant(g.String()); err != nil || got != g {
			t.Errorf("grant %s: %v, %v", g, got, err)
		}
	}
	for _, text := range []string{"number/+442079460001", "ring_group/sales", "application/a/b", "user/alice"} {
		if e, err := ParseElement(text); err != nil || e.String() != text {
			t.Errorf("element %s: %v, %v", text, e, err)
		}
	}
	for _, text := range []string{"", "user", "user/", "/alice", "Users/alice", "queue/x"} {
		if e, err := ParseElement(text); err == nil {
			t.Errorf("element %q is accepted as %v", text, e)
		}
	}
	for text, want := range map[string]string{
		directions.String(): "Direction(3)", settings.String(): "Setting(5)", grants.String(): "Grant(3)", Element{}.String(): "nobody",
	} {
		if text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
}

func BenchmarkFindNumber(b *testing.B) {
	p := parsed(b, lookupPolicy)
	for _, raw := range []string{"+442079460001", "02079460001", "00442079460001", "sip:+442079460001@carrier.example.net"} {
		b.Run(raw, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := p.FindNumber(raw); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
