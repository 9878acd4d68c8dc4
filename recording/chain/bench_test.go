package chain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// BenchmarkVerify is what one entry of a long log takes, with its line of the audit log or
// its sidecar.
func BenchmarkVerify(b *testing.B) {
	w, log := longLog(b, b.N)
	x := w.texts()
	x.logs[0] = bytes.Join(log, nil)
	b.SetBytes(int64(len(x.logs[0]) / b.N))
	b.ReportAllocs()
	b.ResetTimer()
	if found, s := x.verify(b, nil); len(found) > 0 || s.Entries != b.N+2 {
		b.Fatalf("%q, %+v", found, s)
	}
}

// BenchmarkVerifyShuffled is what one entry takes of a log whose entries are in disorder:
// not more in a longer log, so that nobody makes verification endless.
func BenchmarkVerifyShuffled(b *testing.B) {
	w, log := longLog(b, b.N)
	rnd := rand.New(rand.NewPCG(1, 2))
	rnd.Shuffle(b.N, func(i, j int) { log[i+2], log[j+2] = log[j+2], log[i+2] })
	x := w.texts()
	x.logs[0] = bytes.Join(log, nil)
	b.ResetTimer()
	x.verify(b, nil)
}

// BenchmarkVerifierMemory prints what a Verifier keeps of each entry.
func BenchmarkVerifierMemory(b *testing.B) {
	const entries = 100_000
	w, log := longLog(b, entries)
	text, lines := bytes.Join(log, nil), w.texts().audit
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for b.Loop() {
		before := heap()
		v := NewVerifier(nil, func(f Finding) { b.Fatal(f) })
		if err := errors.Join(v.Log("log", bytes.NewReader(text)), v.Lines("audit", bytes.NewReader(lines))); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/entries, "B/entry")
		runtime.KeepAlive(v)
	}
	runtime.KeepAlive(log)
}

// longLog returns the lines of a log that begins, is signed, and has so many entries, and
// a world in which there is what they tell of.
func longLog(b *testing.B, entries int) (w *world, log [][]byte) {
	w = &world{at: day, sidecars: map[string]string{}}
	prev, seq := "", int64(0)
	add := func(e Entry) {
		seq++
		e.Seq, e.Prev, e.At = seq, prev, day
		line, err := e.Encode()
		if err != nil {
			b.Fatal(err)
		}
		prev, log = e.Hash, append(log, line)
	}
	add(Entry{Kind: Begun, Log: logID(0)})
	signed := Entry{Seq: 2, Prev: prev, At: day, Kind: Checkpoint, Log: logID(0), Why: AtStart}
	signed.Sign(testKey)
	add(signed)
	for i := range entries {
		id := fmt.Sprintf("c0ffee00-0000-4000-8000-%012d", i)
		if i%2 == 0 {
			line := auditLine("listen", id, logID(0), int(seq)+1)
			add(Entry{Kind: Line, Line: json.RawMessage(line)})
			w.audit = append(w.audit, line)
			continue
		}
		w.sidecars[fileOf(id)] = SumOf([]byte(id))
		add(Entry{Kind: Sidecar, Organisation: "acme", Recording: id, File: fileOf(id), Sidecar: w.sidecars[fileOf(id)], Sound: SumOf(nil)})
	}
	return w, log
}
