package chain

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

var day = time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)

// testKey is a key that is always the same.
var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func publicKeys() []ed25519.PublicKey {
	return []ed25519.PublicKey{testKey.Public().(ed25519.PublicKey)}
}

// world is two evidence logs, the audit log that two instances share, the sidecars, and
// the copies of the checkpoints.
type world struct {
	logs     [2][]string // lines without their ends
	audit    []string
	copies   []string
	sidecars map[string]string // by file: the text's hash
	at       time.Time
}

func (w *world) clone() *world {
	c := &world{audit: slices.Clone(w.audit), copies: slices.Clone(w.copies), sidecars: maps.Clone(w.sidecars), at: w.at}
	for i := range w.logs {
		c.logs[i] = slices.Clone(w.logs[i])
	}
	return c
}

func logID(i int) string { return fmt.Sprintf("log%d", i) }

// add appends an entry to a log and returns it.
func (w *world) add(t testing.TB, i int, e Entry) Entry {
	t.Helper()
	w.at = w.at.Add(time.Second)
	e.Seq, e.At = int64(len(w.logs[i])+1), w.at
	if last := len(w.logs[i]) - 1; last >= 0 {
		before, err := Decode([]byte(w.logs[i][last]))
		if err != nil {
			t.Fatal(err)
		}
		e.Prev = before.Hash
	}
	if e.Kind == Checkpoint {
		e.Log = logID(i)
		e.Sign(testKey)
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.logs[i] = append(w.logs[i], strings.TrimSuffix(string(text), "\n"))
	if e.Kind == Checkpoint {
		w.copies = append(w.copies, w.logs[i][e.Seq-1])
	}
	return e
}

// line adds a line to the audit log, and to a log, whose entry it returns.
func (w *world) line(t testing.TB, i int, what, recording string) Entry {
	t.Helper()
	text := auditLine(what, recording, logID(i), len(w.logs[i])+1)
	e := Entry{Kind: Line, Line: json.RawMessage(text)}
	if what == "delete" {
		e.Organisation, e.Recording = "acme", recording
	}
	w.audit = append(w.audit, text)
	return w.add(t, i, e)
}

func auditLine(what, recording, log string, seq int) string {
	return fmt.Sprintf(`{"at":"2026-03-09T12:00:00Z","who":"anna","what":%q,"organisation":"acme","recording":%q,"log":%q,"seq":%d}`, what, recording, log, seq)
}

func fileOf(id string) string { return "acme/2026/03/09/" + id + ".json" }

// sidecar writes a sidecar.
func (w *world) sidecar(t testing.TB, i int, id, text string) {
	t.Helper()
	file, sum := fileOf(id), SumOf([]byte(text))
	w.add(t, i, Entry{Kind: Sidecar, Organisation: "acme", Recording: id, File: file, Sidecar: sum, Was: w.sidecars[file], Sound: SumOf([]byte("sound of " + text))})
	w.sidecars[file] = sum
}

// newWorld is a world in which all is well.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{at: day, sidecars: map[string]string{fileOf("old"): SumOf([]byte("old"))}}
	w.audit = []string{`{"who":"anna","what":"listen"}`, `{"who":"bert","wha`} // from before; the second is torn
	before := []byte(strings.Join(w.audit, "\n") + "\n")
	w.add(t, 0, Entry{Kind: Begun, Log: logID(0), Size: int64(len(before)), Sum: SumOf(before), Older: true})
	w.add(t, 0, Entry{Kind: Checkpoint, Why: AtStart})
	for n := range 4 {
		w.sidecar(t, 0, fmt.Sprint("call", n), fmt.Sprint("call", n))
		w.line(t, 0, "listen", fmt.Sprint("call", n))
	}
	before = []byte(strings.Join(w.audit, "\n") + "\n")
	w.add(t, 1, Entry{Kind: Begun, Log: logID(1), Size: int64(len(before)), Sum: SumOf(before), Older: true})
	w.add(t, 1, Entry{Kind: Checkpoint, Why: AtStart})
	w.line(t, 1, "hold", "call0") // the other instance
	w.sidecar(t, 1, "call0", "call0 held")
	w.line(t, 1, "delete", "call1")
	delete(w.sidecars, fileOf("call1"))
	w.add(t, 0, Entry{Kind: Checkpoint, Why: AtHour})
	w.line(t, 0, "unhold", "call0")
	w.sidecar(t, 0, "call0", "call0")
	w.add(t, 0, Entry{Kind: Removed, Organisation: "acme", Recording: "unwanted", Why: "nobody wanted it"})
	torn := `{"at":"2026-03-`
	w.audit = append(w.audit, torn)
	w.add(t, 0, Entry{Kind: Recovered, Torn: SumOf([]byte(torn)), Why: "a line of the audit log has no end"})
	w.sidecar(t, 0, "call2", "call2 again, not written")
	w.add(t, 0, Entry{Kind: Undone, Of: int64(len(w.logs[0])), Organisation: "acme", Recording: "call2", Why: "disk full"})
	w.sidecars[fileOf("call2")] = SumOf([]byte("call2"))
	w.line(t, 0, "listen", "call3")
	w.line(t, 1, "download", "call3")
	w.line(t, 1, "delete", "old")
	delete(w.sidecars, fileOf("old"))
	w.sidecars[fileOf("older")] = SumOf([]byte("older"))
	w.add(t, 1, Entry{Kind: Checkpoint, Why: AtStop})
	w.add(t, 0, Entry{Kind: Checkpoint, Why: AtStop})
	return w
}

// texts are the files of a world as bytes, which a mutation may change.
type texts struct {
	logs          [2][]byte
	audit, copies []byte
	sidecars      map[string]string
}

func (w *world) texts() texts {
	join := func(lines []string) []byte {
		if len(lines) == 0 {
			return nil
		}
		return []byte(strings.Join(lines, "\n") + "\n")
	}
	return texts{logs: [2][]byte{join(w.logs[0]), join(w.logs[1])}, audit: join(w.audit), copies: join(w.copies), sidecars: w.sidecars}
}

// verify returns what a Verifier finds.
func (x texts) verify(t testing.TB, live func(string) bool) (found []Finding, s Summary) {
	t.Helper()
	v := NewVerifier(publicKeys(), func(f Finding) { found = append(found, f) })
	err := v.Checkpoints("copies", bytes.NewReader(x.copies))
	for i, text := range x.logs {
		if err == nil && text != nil {
			err = v.Log(logID(i), bytes.NewReader(text))
		}
	}
	if err == nil {
		err = v.Lines("audit", bytes.NewReader(x.audit))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range slices.Sorted(maps.Keys(x.sidecars)) {
		words := strings.Split(file, "/")
		date, err := time.Parse("2006/01/02", strings.Join(words[1:4], "/"))
		if err != nil {
			t.Fatal(err)
		}
		v.Recording(Recording{Organisation: words[0], ID: strings.TrimSuffix(words[4], ".json"), Day: date, File: file, Sum: x.sidecars[file]})
	}
	if live == nil {
		live = func(string) bool { return false }
	}
	s = v.End(func(file string) string { return x.sidecars[file] }, live)
	return found, s
}

// wrong are the findings that are no notes.
func wrong(found []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return f.Note })
}
