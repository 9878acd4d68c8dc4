package confirm

import (
	"context"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
)

// linked is a simulated FreeSWITCH with its link, until the test ends or down is called.
func linked(t *testing.T, name string) (sw *esltest.Switch, link *esl.Link, down func()) {
	t.Helper()
	sw = esltest.New(esltest.Options{Name: name})
	address, err := sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sw.Close() })
	link = &esl.Link{Name: name, Address: address, Password: esl.NewSecret("ClueCon")}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = link.Run(ctx) }()
	down = func() { stop(); <-ended }
	t.Cleanup(down)
	testkit.Until(t, "the link is up", link.Up)
	return sw, link, down
}

// TestAsk: what two FreeSWITCHes say of a leg.
func TestAsk(t *testing.T) {
	one, oneLink, _ := linked(t, "one")
	two, twoLink, down := linked(t, "two")
	asker := New(map[string]Link{"one": oneLink, "two": twoLink})
	leg := two.Incoming(esltest.Leg{Number: "07700900123", Destination: "1001", Variables: map[string]string{"said": "100% true"}})
	patience := testkit.Patience
	ask := func(when, leg, core string, want Standing) *esl.Event {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		is, data := asker.Ask(ctx, leg, core)
		if is != want {
			t.Errorf("%s: %d, want %d", when, is, want)
		}
		return data
	}
	ask("not at a socket", leg.UUID(), two.CoreUUID(), Elsewhere)
	leg.Set("current_application", "socket")
	if data := ask("at a socket", leg.UUID(), two.CoreUUID(), Confirmed); data == nil || data.Variable("said") != "100% true" {
		t.Errorf("the data is %v", data)
	}
	asker.Learn("one", one.CoreUUID())
	asker.Learn("two", two.CoreUUID())
	ask("of a known switch", leg.UUID(), two.CoreUUID(), Confirmed)
	ask("on the other switch", leg.UUID(), one.CoreUUID(), Unknown)
	ask("on no switch", leg.UUID(), "c0ffee00-0000-4000-8000-000000000000", Forged)
	ask("no such leg", "0c7a5f40-1782-4bff-9de0-b6ba8f16e031", two.CoreUUID(), Unknown)
	ask("a name that no leg has", "a b", two.CoreUUID(), Unknown)
	two.FailNext("uuid_dump", "-ERR uuid_dump Command not found!\n")
	ask("an answer that is none", leg.UUID(), two.CoreUUID(), Late)
	two.Fail(func(command, _ string) (string, bool) {
		return "Event-Name: CHANNEL_DATA\nUnique-ID: another\n\n", command == "uuid_dump"
	})
	ask("an answer about another leg", leg.UUID(), two.CoreUUID(), Late)
	two.Fail(nil)
	patience = 50 * time.Millisecond
	two.DelayReplies(2 * patience)
	ask("slow", leg.UUID(), two.CoreUUID(), Late)
	patience = testkit.Patience
	down()
	ask("its link is down", leg.UUID(), two.CoreUUID(), Unlinked)
	ask("one of two links is down", leg.UUID(), "c0ffee00-0000-4000-8000-000000000000", Unlinked)
	ask("of the switch whose link is up", leg.UUID(), one.CoreUUID(), Unknown)
	asker = New(nil)
	ask("no links", leg.UUID(), one.CoreUUID(), Unlinked)
}
