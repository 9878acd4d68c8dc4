package store_test

import (
	"fmt"
	"strings"
	"testing"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

// hashTag is the part of a key that Redis Cluster hashes (redis.io, cluster
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

// TestKeysDoNotCollide: no two things have the same key, whatever their ids are. The
// tests of the subjects hold their keys to this layout.
func TestKeysDoNotCollide(t *testing.T) {
	owner := map[string]string{}
	claim := func(key, who string) {
		if other, taken := owner[key]; taken {
			t.Errorf("key %s is of %s and of %s", key, other, who)
		}
		owner[key] = who
	}
	for _, key := range []string{
		"{policy}:current", "{policy}:switched", "{calls}:organisations", "{calls}:changed", "{instances}:known",
		"{recordings}:organisations", "{recordings}:indexed:2", "{recordings}:indexing",
	} {
		claim("tapedeck:"+key, key)
	}
	for _, o := range storetest.Hostile {
		for _, rest := range []string{
			"live", "recordings:by-time", "recordings:by-id", "recordings:written", "recordings:deleted", "recordings:stamp",
		} {
			claim(store.Key(o, rest), fmt.Sprintf("%s of %q", rest, o))
		}
		for _, prefix := range []string{
			"{instances}:beat:", "{instances}:pulse:", "{ask}:to:", "{ask}:request:", "{sessions}:session:", "{sessions}:of:",
		} {
			claim("tapedeck:"+prefix+store.Escape(o), fmt.Sprintf("%s%q", prefix, o))
		}
		for _, id := range storetest.Hostile {
			for _, prefix := range []string{"policy:", "live:", "recording:"} {
				key := store.Key(o, prefix+store.Escape(id))
				claim(key, fmt.Sprintf("%s%q of %q", prefix, id, o))
				if slot(key) != slot(store.Key(o, "live")) {
					t.Errorf("keys of %q are in different slots", o)
				}
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
