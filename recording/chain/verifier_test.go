package chain

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/testkit"
)

func TestUntouched(t *testing.T) {
	w := newWorld(t)
	found, s := w.texts().verify(t, nil)
	if len(wrong(found)) > 0 || len(found) != 2 { // one recovered, one undone
		t.Errorf("%q", found)
	}
	if s.Logs != 2 || s.Older != 1 || s.Sidecars != 4 || s.Lines != 13 || s.Checkpoint.Seq != int64(len(w.logs[0])) || s.Since != 0 {
		t.Errorf("%+v", s)
	}
	for n := range w.logs[0] { // a process that was killed after any entry leaves a log that is right
		c := newWorld(t)
		c.logs[0], c.logs[1], c.copies, c.audit, c.sidecars = c.logs[0][:n], nil, nil, nil, nil
		found, _ := c.texts().verify(t, func(string) bool { return true })
		for _, f := range wrong(found) {
			if f.What == Flipped || f.What == Reordered || f.What == Replaced && f.Where == logID(0) {
				t.Errorf("the first %d entries: %s", n, f)
			}
		}
	}
}

// TestNames: each kind of change is called by its name, at its place.
func TestNames(t *testing.T) {
	forged := func(t *testing.T, e Entry) string {
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, w *world)
		want   string // the beginning of a finding
	}{
		"flip":     {func(_ *testing.T, w *world) { w.logs[0][4] = strings.Replace(w.logs[0][4], "call", "cell", 1) }, "log0: line 5: entry 5: flipped"},
		"cut":      {func(_ *testing.T, w *world) { w.logs[0] = slices.Delete(w.logs[0], 4, 6) }, "log0: entry 5: cut: up to entry 6"},
		"copy":     {func(_ *testing.T, w *world) { w.logs[0] = slices.Insert(w.logs[0], 6, w.logs[0][4]) }, "log0: line 7: entry 5: inserted"},
		"garbage":  {func(_ *testing.T, w *world) { w.logs[0] = slices.Insert(w.logs[0], 6, "{}") }, "log0: line 7: inserted: it is no entry"},
		"swap":     {func(_ *testing.T, w *world) { l := w.logs[0]; l[4], l[5] = l[5], l[4] }, "log0: line 6: entry 5: reordered"},
		"truncate": {func(_ *testing.T, w *world) { w.logs[0] = w.logs[0][:12] }, "log0: entry 19: truncated"},
		"rewrite one": {func(t *testing.T, w *world) {
			w.logs[0][4] = forged(t, Entry{Seq: 5, Kind: Removed, Recording: "call3"})
		}, "log0: line 5: entry 5: replaced"},
		"log gone": {func(_ *testing.T, w *world) { w.logs[1] = nil }, "log1: log missing"},

		"flip a line":      {func(_ *testing.T, w *world) { w.audit[3] = strings.Replace(w.audit[3], "anna", "carl", 1) }, "audit: line 4: entry 6: flipped"},
		"cut a line":       {func(_ *testing.T, w *world) { w.audit = slices.Delete(w.audit, 3, 4) }, "log0: entry 6: cut: the audit log does not have this line any more"},
		"insert a line":    {func(_ *testing.T, w *world) { w.audit = slices.Insert(w.audit, 7, `{"who":"eve","what":"listen"}`) }, "audit: line 8: inserted: no log has it"},
		"copy a line":      {func(_ *testing.T, w *world) { w.audit = slices.Insert(w.audit, 7, w.audit[3]) }, "audit: line 8: entry 6: inserted: it stands there twice"},
		"forge a line":     {func(_ *testing.T, w *world) { w.audit[3] = auditLine("listen", "call0", "log0", 5) }, "audit: line 4: entry 5: inserted: the log has no such line"},
		"swap lines":       {func(_ *testing.T, w *world) { w.audit[3], w.audit[4] = w.audit[4], w.audit[3] }, "audit: line 5: entry 6: reordered"},
		"truncate lines":   {func(_ *testing.T, w *world) { w.audit = w.audit[:8] }, "log0: entry 12: truncated: the audit log does not have this line any more"},
		"no lines":         {func(_ *testing.T, w *world) { w.audit = nil }, "audit: truncated: it had 50 bytes when the log log0 began"},
		"flip before logs": {func(_ *testing.T, w *world) { w.audit[0] = strings.Replace(w.audit[0], "anna", "carl", 1) }, "audit: replaced: the first 50 bytes are not those from before the log log0 began"},

		"replace a recording": {func(_ *testing.T, w *world) { w.sidecars[fileOf("call3")] = "other" }, fileOf("call3") + ": entry 9: replaced: the sidecar is not the one that was written"},
		"an old sidecar":      {func(_ *testing.T, w *world) { w.sidecars[fileOf("call0")] = SumOf([]byte("call0 held")) }, fileOf("call0") + ": entry 13: replaced: it is the sidecar that was there before"},
		"remove a recording":  {func(_ *testing.T, w *world) { delete(w.sidecars, fileOf("call3")) }, fileOf("call3") + ": entry 9: cut"},
		"insert a recording":  {func(_ *testing.T, w *world) { w.sidecars["acme/2026/03/10/new.json"] = "new" }, "acme/2026/03/10/new.json: inserted: no log has this recording"},
		"move a recording": {func(_ *testing.T, w *world) {
			w.sidecars["acme/2026/03/10/call3.json"] = w.sidecars[fileOf("call3")]
			delete(w.sidecars, fileOf("call3"))
		}, "acme/2026/03/10/call3.json: entry 9: inserted: the log has it in acme/2026/03/09"},

		"forge a checkpoint": {func(t *testing.T, w *world) {
			last := len(w.logs[0]) - 1
			e, _ := Decode([]byte(w.logs[0][last]))
			e.Signature = "AAAA"
			w.logs[0][last] = forged(t, e)
		}, "log0: line 19: entry 19: replaced: its signature is wrong"},
		"unsigned": {func(t *testing.T, w *world) {
			last := len(w.logs[0]) - 1
			e, _ := Decode([]byte(w.logs[0][last]))
			e.Signature, e.Key = "", ""
			w.logs[0][last] = forged(t, e)
		}, "log0: line 19: entry 19: unsigned: those before are signed"},
		"a damaged log that goes on": {func(t *testing.T, w *world) { w.add(t, 0, Entry{Kind: Damaged, Why: "it is shorter"}) }, "log0: line 20: entry 20: damaged: it is shorter"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.change(t, w)
			found, s := w.texts().verify(t, nil)
			named := slices.ContainsFunc(wrong(found), func(f Finding) bool { return strings.HasPrefix(f.String(), test.want) })
			if !named || s.Findings != len(wrong(found)) {
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}

// TestInterrupted: what a process that was killed had begun is a note, if it is the last
// entry, and else it is wrong.
func TestInterrupted(t *testing.T) {
	live := func(id string) bool { return id == "call9" }
	for name, begin := range map[string]func(w *world){
		"a line": func(w *world) { w.line(t, 0, "listen", "call3"); w.audit = w.audit[:len(w.audit)-1] },
		"a torn line": func(w *world) {
			w.line(t, 0, "listen", "call3")
			last := len(w.audit) - 1
			w.audit[last] = w.audit[last][:20]
		},
		"a hold": func(w *world) {
			was := w.sidecars[fileOf("call3")]
			w.sidecar(t, 0, "call3", "held")
			w.sidecars[fileOf("call3")] = was
		},
		"a first time": func(w *world) { w.sidecar(t, 0, "call9", "call9"); delete(w.sidecars, fileOf("call9")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			begin(w)
			x := w.texts()
			if name == "a torn line" {
				x.audit = x.audit[:len(x.audit)-1]
			}
			if found, _ := x.verify(t, live); len(wrong(found)) > 0 || len(found) < 3 {
				t.Errorf("%q", found)
			}
			w.add(t, 0, Entry{Kind: Checkpoint, Why: AtHour})
			if found, _ := w.texts().verify(t, live); len(wrong(found)) == 0 {
				t.Error("it is not found when the log goes on")
			}
		})
	}
}

// TestSince: what no checkpoint covers is counted in each log, and the last checkpoint of a
// log is the one with the highest number, whatever the clock said.
func TestSince(t *testing.T) {
	w := newWorld(t)
	w.line(t, 1, "listen", "call3")
	w.line(t, 1, "listen", "call0")
	last := w.line(t, 0, "listen", "call3")
	if _, s := w.texts().verify(t, nil); s.Since != 3 || s.Checkpoint.Log != logID(0) || s.Checkpoint.Seq != last.Seq-1 {
		t.Errorf("%+v", s)
	}
	w.at = w.at.Add(-time.Hour)
	last = w.add(t, 0, Entry{Kind: Checkpoint, Why: AtHour})
	w.add(t, 1, Entry{Kind: Checkpoint, Why: AtHour})
	if found, s := w.texts().verify(t, nil); len(wrong(found)) > 0 || s.Since != 0 || !s.Checkpoint.At.Equal(w.at) {
		t.Errorf("%q, %+v", found, s)
	}
}

// TestClocks: the clocks of two hosts differ by an hour. What the one did with a recording
// of the other is no finding, and what somebody else did is.
func TestClocks(t *testing.T) {
	for first, second := range map[int]int{0: 1, 1: 0} {
		w := newWorld(t)
		late := func() { w.at = w.at.Add(-time.Hour) }
		w.sidecar(t, first, "call7", "call7")
		w.sidecar(t, first, "call8", "call8")
		w.sidecar(t, first, "call9", "call9")
		late()
		w.sidecar(t, second, "call7", "call7 held")
		w.sidecar(t, second, "call8", "call8 held")
		w.line(t, second, "delete", "call9")
		delete(w.sidecars, fileOf("call9"))
		w.at = w.at.Add(2 * time.Hour)
		w.sidecar(t, first, "call8", "call8")
		late()
		w.add(t, first, Entry{Kind: Checkpoint, Why: AtHour})
		w.add(t, second, Entry{Kind: Checkpoint, Why: AtHour})
		if found, _ := w.texts().verify(t, nil); len(wrong(found)) > 0 {
			t.Errorf("log %d first: %q", first, found)
		}
		w.sidecars[fileOf("call7")] = SumOf([]byte("call7"))
		w.sidecars[fileOf("call8")] = SumOf([]byte("call8 held"))
		if found, _ := w.texts().verify(t, nil); len(wrong(found)) != 2 {
			t.Errorf("log %d first, old sidecars: %q", first, found)
		}
	}
}

// TestTornCopy: a copy that has no end, because the disk was full, proves nothing, and is
// no sign of an attack.
func TestTornCopy(t *testing.T) {
	x := newWorld(t).texts()
	x.copies = append(append([]byte(nil), x.copies[:100]...), append([]byte{'\n'}, x.copies...)...)
	found, _ := x.verify(t, nil)
	if len(wrong(found)) > 0 || !slices.ContainsFunc(found, func(f Finding) bool { return f.Where == "copies" && f.Line == 1 && f.What == Truncated }) {
		t.Errorf("%q", found)
	}
}

// TestWalk: walks random changes are all found. Each is made to an untouched world, as
// somebody would who has no key.
func TestWalk(t *testing.T) {
	rnd := testkit.Rand(t, 20260309)
	whole := newWorld(t)
	names, counts := slices.Sorted(maps.Keys(mutations)), map[string]int{}
	for n := range walks {
		w := whole.clone()
		name := names[rnd.IntN(len(names))]
		x := w.texts()
		mutations[name](t, rnd, w, &x)
		if found, _ := x.verify(t, nil); len(wrong(found)) == 0 {
			t.Fatalf("change %d, %s, is not found\nlogs %s\n%s\naudit %s\nsidecars %q", n, name, x.logs[0], x.logs[1], x.audit, x.sidecars)
		}
		counts[name]++
		if n%100 == 0 {
			if found, _ := whole.texts().verify(t, nil); len(wrong(found)) > 0 {
				t.Fatalf("an untouched world: %q", found)
			}
		}
	}
	t.Log(counts)
}

// files are the texts that a mutation of bytes may change.
func (x *texts) files() []*[]byte { return []*[]byte{&x.logs[0], &x.logs[1], &x.audit} }

// lists are the lines that a mutation of lines may change.
func (w *world) lists() []*[]string { return []*[]string{&w.logs[0], &w.logs[1], &w.audit} }

// mutations change a world, through its lines or its bytes.
var mutations = map[string]func(t *testing.T, rnd *rand.Rand, w *world, x *texts){
	"flip": func(_ *testing.T, rnd *rand.Rand, _ *world, x *texts) {
		file := x.files()[rnd.IntN(3)]
		(*file)[rnd.IntN(len(*file))] ^= byte(1 + rnd.IntN(255))
	},
	"flip a bit": func(_ *testing.T, rnd *rand.Rand, _ *world, x *texts) {
		file := x.files()[rnd.IntN(3)]
		(*file)[rnd.IntN(len(*file))] ^= 1 << rnd.IntN(8)
	},
	"cut bytes": func(_ *testing.T, rnd *rand.Rand, _ *world, x *texts) {
		file := x.files()[rnd.IntN(3)]
		from := rnd.IntN(len(*file))
		*file = slices.Delete(*file, from, min(len(*file), from+1+rnd.IntN(700)))
	},
	"truncate bytes": func(_ *testing.T, rnd *rand.Rand, _ *world, x *texts) {
		file := x.files()[rnd.IntN(3)]
		*file = (*file)[:rnd.IntN(len(*file))]
	},
	"cut lines": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) {
		list := w.lists()[rnd.IntN(3)]
		from := rnd.IntN(len(*list))
		*list = slices.Delete(*list, from, min(len(*list), from+1+rnd.IntN(4)))
		*x = w.texts()
	},
	"truncate all": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) { // the log and all that it tells of
		keep := rnd.IntN(len(w.logs[0]))
		for _, text := range w.logs[0][keep:] {
			e, _ := Decode([]byte(text))
			if e.Kind == Sidecar {
				delete(w.sidecars, e.File)
			}
			w.audit = slices.DeleteFunc(w.audit, func(line string) bool { return line == string(e.Line) })
		}
		w.logs[0] = w.logs[0][:keep]
		*x = w.texts()
	},
	"insert a copy": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) {
		list := w.lists()[rnd.IntN(3)]
		line := (*list)[rnd.IntN(len(*list))]
		if strings.HasSuffix(line, "-") || !strings.Contains(line, "seq") { // a torn line, or one from before the logs: its copy tells nothing
			line = `{"who":"eve","what":"sign-in"}`
		}
		*list = slices.Insert(*list, 2+rnd.IntN(len(*list)-1), line)
		*x = w.texts()
	},
	"insert a forgery": func(t *testing.T, rnd *rand.Rand, w *world, x *texts) {
		i := rnd.IntN(2)
		at := 1 + rnd.IntN(len(w.logs[i])-1) // before the last checkpoint: what comes after it is proved by nothing yet
		before, _ := Decode([]byte(w.logs[i][at-1]))
		e := Entry{Seq: int64(at + 1), Prev: before.Hash, At: before.At, Kind: Line, Organisation: "acme", Recording: "call3",
			Line: json.RawMessage(auditLine("delete", "call3", logID(i), at+1))}
		w.logs[i] = slices.Insert(w.logs[i], at, encoded(t, e))
		if rnd.IntN(2) == 0 { // and the audit log and the recording agree
			w.audit = append(w.audit, string(e.Line))
			delete(w.sidecars, fileOf("call3"))
		}
		*x = w.texts()
	},
	"reorder": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) {
		i := rnd.IntN(2)
		list := w.logs[i]
		a := rnd.IntN(len(list))
		b := (a + 1 + rnd.IntN(len(list)-1)) % len(list)
		list[a], list[b] = list[b], list[a]
		*x = w.texts()
	},
	"reorder lines": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) {
		var own []int // the places of one log's lines: the order of two logs' is not known
		i := rnd.IntN(2)
		for n, line := range w.audit {
			if strings.Contains(line, logID(i)) {
				own = append(own, n)
			}
		}
		a := rnd.IntN(len(own))
		b := (a + 1 + rnd.IntN(len(own)-1)) % len(own)
		w.audit[own[a]], w.audit[own[b]] = w.audit[own[b]], w.audit[own[a]]
		*x = w.texts()
	},
	"replace a recording": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) { // sidecar and sound together
		file := fileOf(fmt.Sprint("call", []int{0, 2, 3}[rnd.IntN(3)]))
		x.sidecars[file] = SumOf(fmt.Append(nil, rnd.Uint64()))
	},
	"exchange two recordings": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) {
		files := []string{fileOf("call0"), fileOf("call2"), fileOf("call3")}
		a := rnd.IntN(3)
		b := (a + 1 + rnd.IntN(2)) % 3
		x.sidecars[files[a]], x.sidecars[files[b]] = x.sidecars[files[b]], x.sidecars[files[a]]
	},
	"remove a recording": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) {
		delete(x.sidecars, fileOf(fmt.Sprint("call", []int{0, 2, 3}[rnd.IntN(3)])))
	},
	"insert a recording": func(_ *testing.T, rnd *rand.Rand, w *world, x *texts) {
		x.sidecars[fmt.Sprintf("acme/2026/03/1%d/new%d.json", rnd.IntN(10), rnd.IntN(1000))] = "new"
	},
	"write anew": writeAnew,
}

// writeAnew replaces an entry and everything that follows from it: the hashes of all
// entries after it, the audit log, the sidecar. Only the key and the copies are missing.
func writeAnew(t *testing.T, rnd *rand.Rand, w *world, x *texts) {
	i := rnd.IntN(2)
	at := rnd.IntN(len(w.logs[i]))
	prev := ""
	for n, text := range w.logs[i] {
		e, err := Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if n == at {
			e.At = e.At.Add(-time.Hour)
			switch e.Kind {
			case Line:
				fresh := strings.Replace(string(e.Line), "anna", "carl", 1)
				w.audit[slices.Index(w.audit, string(e.Line))] = fresh
				e.Line = json.RawMessage(fresh)
			case Sidecar:
				e.Sidecar = SumOf(fmt.Append(nil, rnd.Uint64()))
				w.sidecars[e.File] = e.Sidecar
			}
		}
		e.Prev = prev
		line, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.logs[i][n], prev = strings.TrimSuffix(string(line), "\n"), e.Hash
	}
	*x = w.texts()
}

func encoded(t *testing.T, e Entry) string {
	t.Helper()
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}
