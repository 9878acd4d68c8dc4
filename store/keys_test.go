package store

import (
	"fmt"
	"strings"
	"testing"
)

// hostile are ids that would be dangerous in a key if they stood there as they are.
var hostile = []string{
	"acme", "Acme", "a", "b", "policy", "calls", "call", "a}:call:{b", "a}", "{a", "{", "}", "{}", "}{", ":", "a:b", "a:b:c",
	"a b", "a  b", " ", "a\nb", "a\r\nDEL x\r\n", "a\x00b", "%", "a%7Bb", "a{b", "ä", "☎", "a/b", "../a", "*", "a*", "?", "[a]", "\\", "'", `"`,
}

// hashTag is what Redis Cluster hashes of a key (redis.io, cluster
// specification, "Hash tags").
func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// slot is the hash slot of a key: CRC16 (XMODEM) of its hash tag.
func slot(key string) int {
	var crc uint16
	for _, b := range []byte(hashTag(key)) {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % 16384
}

func TestKeysDoNotCollide(t *testing.T) {
	owner := map[string]string{currentKey: "current", switchedChannel: "channel", changedChannel: "changes", organisationsKey: "organisations",
		instancesKey: "instances", recordersKey: "recorders", indexedKey: "indexed"}
	claim := func(key, who string) {
		if other, taken := owner[key]; taken {
			t.Errorf("key %s is of %s and of %s", key, other, who)
		}
		owner[key] = who
	}
	for _, o := range hostile {
		claim(callsKey(o), fmt.Sprintf("calls of %q", o))
		for f := range facets {
			claim(facetKey(o, f), fmt.Sprintf("index %d of %q", f, o))
		}
		claim(writtenKey(o), fmt.Sprintf("written of %q", o))
		claim(deletedKey(o), fmt.Sprintf("deleted of %q", o))
		claim(stampKey(o), fmt.Sprintf("stamp of %q", o))
		claim(beatKey(o), fmt.Sprintf("beat of %q", o))
		claim(askChannel(o), fmt.Sprintf("channel of %q", o))
		claim(requestKey(o), fmt.Sprintf("request %q", o))
		claim(sessionKey(o), fmt.Sprintf("session %q", o))
		claim(sessionsKey(o), fmt.Sprintf("sessions of %q", o))
		for _, id := range hostile {
			claim(callKey(o, id), fmt.Sprintf("call %q of %q", id, o))
			claim(policyKey(o, id), fmt.Sprintf("policy %q of %q", id, o))
			claim(recordingKey(o, id), fmt.Sprintf("recording %q of %q", id, o))
			if slot(recordingKey(o, id)) != slot(stampKey(o)) || slot(callKey(o, id)) != slot(callsKey(o)) || slot(policyKey(o, id)) != slot(callsKey(o)) {
				t.Errorf("keys of %q are in different slots", o)
			}
		}
	}
	for key := range owner {
		if strings.ContainsAny(key, " \r\n\x00*?[]\\\"'") || strings.Count(key, "{") != 1 || strings.Count(key, "}") != 1 {
			t.Errorf("key %q", key)
		}
	}
	if slot("123456789") != 12739 { // the example of the cluster specification
		t.Errorf("slot computes %d", slot("123456789"))
	}
}

func TestHostileIDs(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		tell := newSpy()
		a := runOn(t, srv, tell)
		want := map[callID]bool{}
		for _, o := range hostile {
			for _, id := range hostile {
				a.SaveCall(Call{ID: id, Organisation: o, State: On})
				want[callID{o, id}] = true
			}
		}
		check := func() {
			t.Helper()
			tell.await(t, "the calls to be written", func() bool { return a.Queued() == 0 })
			calls, err := a.Calls(t.Context())
			if err != nil || len(calls) != len(want) {
				t.Fatalf("%d calls, want %d: %v", len(calls), len(want), err)
			}
			for _, c := range calls {
				if !want[callID{c.Organisation, c.ID}] {
					t.Errorf("call %q of %q should not be there", c.ID, c.Organisation)
				}
			}
		}
		check()
		for i, o := range hostile {
			id := hostile[(i*7)%len(hostile)]
			a.EndCall(o, id)
			delete(want, callID{o, id})
		}
		check()
		if tell.logged("level=ERROR") != 0 {
			t.Errorf("log:\n%s", tell.log.String())
		}
	})
}
