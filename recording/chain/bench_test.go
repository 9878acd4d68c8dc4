package chain

import (
	"encoding/json"
	"fmt"
	"testing"
)

// BenchmarkVerify is what one entry of a long log takes, with its line of the audit log or
// its sidecar.
func BenchmarkVerify(b *testing.B) {
	w := &world{at: day, sidecars: map[string]string{}}
	var text []byte
	prev, seq := "", int64(0)
	add := func(e Entry) {
		seq++
		e.Seq, e.Prev, e.At = seq, prev, day
		line, err := e.Encode()
		if err != nil {
			b.Fatal(err)
		}
		prev, text = e.Hash, append(text, line...)
	}
	add(Entry{Kind: Begun, Log: logID(0)})
	signed := Entry{Seq: 2, Prev: prev, At: day, Kind: Checkpoint, Log: logID(0), Why: AtStart}
	signed.Sign(testKey)
	add(signed)
	for i := range b.N {
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
	x := w.texts()
	x.logs[0] = text
	b.SetBytes(int64(len(text) / max(1, b.N)))
	b.ReportAllocs()
	b.ResetTimer()
	if found, s := x.verify(b, nil); len(found) > 0 || s.Entries != b.N+2 {
		b.Fatalf("%q, %+v", found, s)
	}
}
