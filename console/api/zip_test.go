package api_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"tapedeck/console/ops"
)

// unzip returns the files of a ZIP, and its manifest.
func unzip(t *testing.T, text string) (files map[string]string, list ops.Manifest) {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[f.Name]; twice || strings.Contains(f.Name, "..") || strings.HasPrefix(f.Name, "/") {
			t.Errorf("file %s", f.Name)
		}
		if strings.HasSuffix(f.Name, ".wav") && f.Method != zip.Store {
			t.Errorf("%s is compressed", f.Name)
		}
		files[f.Name] = string(data)
	}
	if err := json.Unmarshal([]byte(files["manifest.json"]), &list); err != nil {
		t.Fatal(err)
	}
	return files, list
}

// TestZIP: a ZIP has each sound once, as it was recorded, and the manifest names what is
// missing.
func TestZIP(t *testing.T) {
	l := newAPILab(t)
	silent := labSidecar("acme", "ffffffff-0000-4000-8000-000000000001", "bob")
	silent.File, silent.Spans = nil, nil
	l.record(silent)
	gone := labSidecar("acme", "ffffffff-0000-4000-8000-000000000002", "bob")
	l.record(gone)
	path, err := gone.Path(l.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	changed := labSidecar("beta", "ffffffff-0000-4000-8000-000000000003", "dave")
	changed.External = "../../x\r\n\"evil"
	l.record(changed)
	if path, err = changed.Path(l.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("RIFF or so"), 0o644); err != nil {
		t.Fatal(err)
	}
	ids, err := json.Marshal(map[string][]string{"ids": {recAlice, recDave, recAlice, silent.Call, gone.Call, changed.Call, recAlice}})
	if err != nil {
		t.Fatal(err)
	}
	res, text := l.wants(200, "root", "POST", "/api/v1/recordings.zip", string(ids))
	if res.Header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment; filename=") {
		t.Errorf("%v", res.Header)
	}
	files, list := unzip(t, text)
	if len(files) != 4 || len(list.Recordings) != 3 || len(list.Missing) != 2 || list.By != "root" {
		t.Fatalf("%d files: %+v", len(files), list)
	}
	for i, line := range list.Recordings {
		data := files[line.File]
		sum := sha256.Sum256([]byte(data))
		if line.SHA256 != hex.EncodeToString(sum[:]) || line.Bytes != int64(len(data)) || line.Unchanged != (i < 2) || i < 2 && data != string(labSound()) {
			t.Errorf("%+v: %d bytes", line, len(data))
		}
		if !strings.HasPrefix(line.File, line.Recording.Organisation+"/2026-11-20_090000_") {
			t.Errorf("file %s", line.File)
		}
	}
	if n := strings.Count(l.Audited(), `"what":"download"`); n != 4 { // the line is written before the file turns out to be gone
		t.Errorf("%d lines: %s", n, l.Audited())
	}
}

// TestZIPRefused: if the visitor may not have one of a selection, he gets none.
func TestZIPRefused(t *testing.T) {
	l := newAPILab(t)
	for _, tc := range []struct {
		account, ids string
		status       int
	}{
		{"anna", `"` + recAlice + `","` + recDave + `"`, 404},
		{"anna", `"` + recAlice + `","` + nowhere + `"`, 404},
		{"anna", `"` + recAlice + `","../../x"`, 404},
		{"anna", `"` + recAlice + `",""`, 404},
		{"sue", `"` + recAlice + `","` + recCarol + `"`, 404},
		{"lisa", `"` + recAlice + `"`, 403},
		{"alice", `"` + recAlice + `"`, 403},
		{"alice", `"` + recCarol + `"`, 404},
		{"anna", strings.TrimSuffix(strings.Repeat(`"`+recAlice+`",`, 500), ","), 200}, // once
	} {
		res, text := l.wants(tc.status, tc.account, "POST", "/api/v1/recordings.zip", `{"ids":[`+tc.ids+`]}`)
		if tc.status != 200 && (strings.Contains(text, "RIFF") || res.Header.Get("Content-Disposition") != "") {
			t.Errorf("%s %.100s: %.100q", tc.account, tc.ids, text)
		}
	}
	if n := strings.Count(l.Audited(), `"what":"download"`); n != 1 {
		t.Errorf("%d lines: %s", n, l.Audited())
	}
}
