package chain

import "testing"

// FuzzVerifier: whatever the files hold, a Verifier ends, and counts what it found.
func FuzzVerifier(f *testing.F) {
	x := newWorld(f).texts()
	f.Add(x.logs[0], x.logs[1], x.audit, x.copies)
	f.Add([]byte("{}\n"), []byte("\n\n"), []byte(`{"log":"log0","seq":2}`), []byte("{"))
	f.Fuzz(func(t *testing.T, first, second, audit, copies []byte) {
		found, s := texts{logs: [2][]byte{first, second}, audit: audit, copies: copies, sidecars: x.sidecars}.verify(t, nil)
		if s.Findings != len(wrong(found)) || s.Findings+s.Notes != len(found) {
			t.Errorf("%d findings and %d notes, and it told of %d", s.Findings, s.Notes, len(found))
		}
	})
}
