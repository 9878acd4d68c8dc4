package esltest_test

import (
	"testing"

	"go.uber.org/goleak"

	"tapedeck/esl/esltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSwitch is a switch with a manual clock, and a link that subscribed to all events.
func newSwitch(t *testing.T) (*esltest.Switch, *link) {
	t.Helper()
	sw := esltest.New(esltest.Options{Clock: esltest.Manual})
	t.Cleanup(func() { sw.Close() })
	l := login(t, listen(t, sw))
	l.ask("event plain ALL")
	return sw, l
}

// realFiles is newSwitch with files that grow in blocks, as FreeSWITCH's do.
func realFiles(t *testing.T) (*esltest.Switch, *link) {
	t.Helper()
	sw := esltest.New(esltest.Options{Clock: esltest.Manual, Blocks: true})
	t.Cleanup(func() { sw.Close() })
	l := login(t, listen(t, sw))
	l.ask("event plain ALL")
	return sw, l
}

func listen(t *testing.T, sw *esltest.Switch) string {
	t.Helper()
	address, err := sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func login(t *testing.T, address string) *link {
	t.Helper()
	l := dial(t, address)
	if m := l.reply(); m.get("Content-Type") != "auth/request" {
		t.Fatalf("greeting is %q", m.raw)
	}
	if got := l.ask("auth ClueCon"); got != "+OK accepted" {
		t.Fatalf("auth: %q", got)
	}
	return l
}

func caller(sw *esltest.Switch) *esltest.Channel {
	return sw.Incoming(esltest.Leg{Number: "+442079460123", Destination: "2000", ToneHz: 440})
}

func ring(from *esltest.Channel, user string) *esltest.Channel {
	return from.Dial(esltest.Leg{Profile: "internal", Destination: user, ToneHz: 880,
		Variables: map[string]string{"dialed_user": user, "dialed_domain": "127.0.0.1"}})
}

// names are the names of those events whose name is in a list.
func names(events []happened, only ...string) (got []string) {
	for _, e := range events {
		for _, name := range only {
			if e.get("Event-Name") == name {
				got = append(got, name)
			}
		}
	}
	return got
}

func find(t *testing.T, events []happened, name string) happened {
	t.Helper()
	for _, e := range events {
		if e.get("Event-Name") == name {
			return e
		}
	}
	t.Fatalf("no %s", name)
	return nil
}
