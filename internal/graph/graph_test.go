package graph

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// built are the inputs of a small machine.
func built(more ...Input) []Input {
	return append([]Input{
		{Version, UnpackVersion, "unpack-1"}, {Version, RootsVersion, "4"}, {Version, SystemVersion, "7"},
		{Residue, "", "r"}, {Init, "", "i"}, {Epoch, "", "100"},
		{Package, "bash:amd64", "5.2 aa"}, {Package, "libc6:amd64", "2.41 bb"},
		{Option, "files./etc/motd.text", "1"}, {Option, "hostname", "2"}, {File, "index.html", "3"}, {User, "root", "0:0"},
	}, more...)
}

// with gives inputs in which some have another value.
func with(inputs []Input, changed ...Input) []Input {
	var out []Input
	for _, in := range inputs {
		for _, c := range changed {
			if c.Kind == in.Kind && c.Name == in.Name {
				in.Value = c.Value
			}
		}
		out = append(out, in)
	}
	return out
}

func TestEveryChangeHasItsName(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, now []Input
		want     string
	}{
		{"nothing", built(), built(), ""},
		{"a package more", built(), built(Input{Package, "curl:amd64", "8.14.1-2 cc"}), "curl 8.14.1-2 (new)"},
		{"a package less", built(Input{Package, "curl:amd64", "8.14.1-2 cc"}), built(), "curl 8.14.1-2 (gone)"},
		{"a newer package", built(), with(built(), Input{Package, "bash:amd64", "5.3 dd"}), "bash 5.2 → 5.3"},
		{"the same version of other bytes", built(), with(built(), Input{Package, "bash:amd64", "5.2 dd"}), "bash 5.2 (other bytes)"},
		{"an option", built(), with(built(), Input{Option, "files./etc/motd.text", "x"}), "files./etc/motd.text"},
		{"an option more", built(), built(Input{Option, "sysctl.kernel.panic", "x"}), "sysctl.kernel.panic (new)"},
		{"a file of the repository", built(), with(built(), Input{File, "index.html", "x"}), "index.html"},
		{"a stage of Stet", built(), with(built(), Input{Version, RootsVersion, "5"}), "Stet's rootfs stage 4 → 5"},
		{"stet-init and the table", built(), with(built(), Input{Init, "", "x"}, Input{Residue, "", "x"}), "the residue table, stet-init"},
		{"the epoch", built(), with(built(), Input{Epoch, "", "200"}), "epoch 100 → 200"},
		{"a user more", built(), built(Input{User, "ada", "1000:1000"}), "number of user ada 1000:1000 (new)"},
		{"an archive less", built(Input{Archive, "trixie", "x"}), built(), "archive trixie (gone)"},
		{
			"several, the widest first", built(), with(built(Input{Package, "curl:amd64", "8 cc"}), Input{Option, "hostname", "x"}, Input{Epoch, "", "200"}),
			"epoch 100 → 200, curl 8 (new), hostname",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, change := range Compare(c.old, c.now) {
				got = append(got, change.String())
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if differ := Key(c.old) != Key(c.now); differ != (c.want != "") {
				t.Errorf("the keys differ: %v", differ)
			}
		})
	}
}

func TestAKeyTellsInputsApart(t *testing.T) {
	a := []Input{{Option, "a", "b"}, {Option, "c", "d"}}
	for _, b := range [][]Input{
		{{Option, "a", "b\" \"c"}, {Option, "", "d"}},
		{{Option, "a", "b\"\noption \"c\" \"d"}},
		{{File, "a", "b"}, {Option, "c", "d"}},
		{{Option, "c", "d"}, {Option, "a", "b"}},
	} {
		if Key(a) == Key(b) {
			t.Errorf("%v has the key of %v", b, a)
		}
	}
}

// A secret of a configuration is not told by its change.
func TestOfOptionsNoValueIsTold(t *testing.T) {
	for _, c := range Compare([]Input{{Option, "a", "old"}, {File, "b", "old"}}, []Input{{Option, "a", "new"}, {File, "b", "new"}}) {
		if c.Old != "" || c.New != "" {
			t.Errorf("%+v has a value", c)
		}
	}
}

func TestARecordThatCannotBeReadIsNone(t *testing.T) {
	r := &Record{Key: "abc", Inputs: built(), Results: map[string]string{"initrd": "x"}}
	text, err := r.Text()
	if err != nil {
		t.Fatal(err)
	}
	r.Format = RecordFormat
	if diff := cmp.Diff(r, ParseRecord(text)); diff != "" {
		t.Error(diff)
	}
	if !IsOf(text, "abc") || IsOf(text, "ab") || IsOf(text, "abcd") || IsOf(nil, "abc") {
		t.Error("a record does not know its key")
	}
	for _, damaged := range []string{"", "\x00\x00", "[]", "{}", `{"format":2,"key":"abc"}`, string(text[:len(text)/2]), `{"format":1,"key":"","inputs":[]}`} {
		if got := ParseRecord([]byte(damaged)); got != nil {
			t.Errorf("%q is read as %+v", damaged, got)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	text, err := (&Record{Key: "abc", Inputs: built(), Results: map[string]string{"initrd": "x"}}).Text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		r := ParseRecord(text)
		if r == nil {
			return
		}
		again, err := r.Text()
		if err != nil || ParseRecord(again) == nil {
			t.Errorf("%q is read and cannot be written: %v", text, err)
		}
		Explain(Facts{Now: built(), Last: r})
	})
}

// made is the span of a step that took a second.
func made(stage Stage, name, result string, of ...string) Span {
	return Span{Step: Step{stage, name}, Begin: time.Second, End: 2 * time.Second, Bytes: 10, Result: result, Of: of}
}

// The units of the small machine, as a build gives them.
func units(etc string) []Unit {
	return []Unit{
		{Step{Number, ""}, 0, "root"}, {Step{System, ""}, 1000, "system"}, {Step{Initrd, ""}, 50, "initrd"},
		{Step{Image, "etc"}, 5, etc}, {Step{Image, "usr"}, 20, "usr"},
		{Step{Import, "bash:amd64"}, 7, ""}, {Step{Import, "libc6:amd64"}, 8, ""},
	}
}

// composed are the spans of a system that is composed anew.
func composed(etc string) []Span {
	return []Span{made(System, "", ""), made(System, "", ""), made(Image, "etc", etc), made(Image, "usr", "usr"), made(Initrd, "", "initrd")}
}

func reused(stage Stage) Span { return Span{Step: Step{Stage: stage}, Reused: true} }

func TestNodesAreExplained(t *testing.T) {
	last := &Record{Format: RecordFormat, Key: "k", Inputs: built(), Results: map[string]string{
		"number": "root", "image etc": "etc", "image usr": "usr", "initrd": "initrd",
	}}
	roots := []Span{reused(Base), reused(Configure), reused(Number)}
	for _, c := range []struct {
		name  string
		last  *Record
		now   []Input
		spans []Span
		units []Unit
		want  string // a line each: step, state, why
	}{
		{"nothing changed", last, built(), []Span{reused(System)}, units("etc"), `
import bash:amd64: reused
import libc6:amd64: reused
base: reused
merge: reused
configure: reused
number: reused
system: reused
image etc: reused
image usr: reused
initrd: reused`},
		{
			"a line of a file", last, with(built(), Input{Option, "files./etc/motd.text", "x"}), append(roots, composed("other")...), units("other"), `
import bash:amd64: reused
import libc6:amd64: reused
base: reused
merge: reused
configure: reused
number: reused
system: made (files./etc/motd.text)
image etc: made (files./etc/motd.text)
image usr: same (files./etc/motd.text)
initrd: same (files./etc/motd.text)`,
		},
		{
			"a package more", last, built(Input{Package, "curl:amd64", "8 cc"}, Input{Option, "packages.curl", "x"}),
			append([]Span{made(Import, "curl:amd64", ""), reused(Base), made(Merge, "", ""), made(Configure, "", ""), made(Number, "", "new")}, composed("etc")...),
			append(units("etc"), Unit{Step{Import, "curl:amd64"}, 9, ""}), `
import bash:amd64: reused
import curl:amd64: made (curl 8 (new))
import libc6:amd64: reused
base: reused
merge: made (curl 8 (new))
configure: made (curl 8 (new))
number: made (curl 8 (new))
system: made (curl 8 (new), packages.curl (new))
image etc: same (curl 8 (new), packages.curl (new))
image usr: same (curl 8 (new), packages.curl (new))
initrd: same (curl 8 (new), packages.curl (new))`,
		},
		{
			"another stage of Stet", last, with(built(), Input{Version, RootsVersion, "5"}),
			append([]Span{made(Base, "", "", "libc6:amd64"), made(Merge, "", ""), made(Configure, "", ""), made(Number, "", "root")}, composed("etc")...), units("etc"), `
import bash:amd64: reused
import libc6:amd64: reused
base: made (Stet's rootfs stage 4 → 5)
merge: made (Stet's rootfs stage 4 → 5)
configure: made (Stet's rootfs stage 4 → 5)
number: same (Stet's rootfs stage 4 → 5)
system: made (Stet's rootfs stage 4 → 5)
image etc: same (Stet's rootfs stage 4 → 5)
image usr: same (Stet's rootfs stage 4 → 5)
initrd: same (Stet's rootfs stage 4 → 5)`,
		},
		{
			"the store forgot", last, built(), append([]Span{made(Import, "bash:amd64", ""), made(Merge, "", ""), made(Configure, "", ""), reused(Number)}, composed("etc")...), units("etc"), `
import bash:amd64: made forgotten
import libc6:amd64: reused
base: reused
merge: made forgotten
configure: made forgotten
number: reused
system: made forgotten
image etc: same forgotten
image usr: same forgotten
initrd: same forgotten`,
		},
		{
			"no record", nil, built(), append([]Span{made(Import, "bash:amd64", "")}, composed("etc")...), units("etc"), `
import bash:amd64: made unrecorded
import libc6:amd64: reused
base: reused
merge: reused
configure: reused
number: reused
system: made unrecorded
image etc: made unrecorded
image usr: made unrecorded
initrd: made unrecorded`,
		},
		{
			"a package outside of the base, its answers, and a number", last,
			built(Input{Package, "curl:amd64", "8 cc"}, Input{Option, "debconf.curl.q", "x"}, Input{Option, "debconf.libc6.q", "x"}, Input{User, "ada", "1:1"}),
			append([]Span{made(Base, "", "", "libc6:amd64"), made(Configure, "", ""), made(Number, "", "n")}, composed("etc")...), units("etc"), `
import bash:amd64: reused
import libc6:amd64: reused
base: made (debconf.libc6.q (new))
merge: reused
configure: made (curl 8 (new), debconf.curl.q (new), debconf.libc6.q (new))
number: made (curl 8 (new), debconf.curl.q (new), debconf.libc6.q (new), number of user ada 1:1 (new))
system: made (curl 8 (new), debconf.curl.q (new), debconf.libc6.q (new), number of user ada 1:1 (new))
image etc: same (curl 8 (new), debconf.curl.q (new), debconf.libc6.q (new), number of user ada 1:1 (new))
image usr: same (curl 8 (new), debconf.curl.q (new), debconf.libc6.q (new), number of user ada 1:1 (new))
initrd: same (curl 8 (new), debconf.curl.q (new), debconf.libc6.q (new), number of user ada 1:1 (new))`,
		},
		{
			"a disk, by tools that are not the machine's", last, built(),
			[]Span{reused(System), made(Import, "mtools:amd64", ""), made(Disk, "raw", "")}, units("etc"), `
import bash:amd64: reused
import libc6:amd64: reused
import mtools:amd64: made unrecorded
base: reused
merge: reused
configure: reused
number: reused
system: reused
image etc: reused
image usr: reused
initrd: reused
disk raw: made absent`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got strings.Builder
			for _, n := range Explain(Facts{Spans: c.spans, Units: c.units, Now: c.now, Last: c.last}) {
				var changes []string
				for _, change := range n.Changes {
					changes = append(changes, change.String())
				}
				got.WriteString("\n" + Step{n.Stage, n.Name}.String() + ": " + string(n.State))
				if len(changes) > 0 {
					got.WriteString(" (" + strings.Join(changes, ", ") + ")")
				}
				if n.Reason != "" {
					got.WriteString(" " + n.Reason)
				}
			}
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodesHaveTimeAndSize(t *testing.T) {
	nodes := Explain(Facts{Spans: composed("etc"), Units: units("etc"), Now: built()})
	got := map[string]Node{}
	for _, n := range nodes {
		got[Step{n.Stage, n.Name}.String()] = n
	}
	if n := got["system"]; n.Seconds != 2 || n.Bytes != 10 {
		t.Errorf("the two parts of the system took %v s and gave %d bytes", n.Seconds, n.Bytes)
	}
	if n := got["import bash:amd64"]; n.Seconds != 0 || n.Bytes != 7 {
		t.Errorf("a package that is there took %v s and has %d bytes", n.Seconds, n.Bytes)
	}
}

func TestNobodyNeedsToListen(t *testing.T) {
	var nobody Observer
	asked := false
	outcome := Outcome{Bytes: func() int64 { asked = true; return 0 }}
	if n := testing.AllocsPerRun(100, func() {
		nobody.Begin(Step{Stage: System})(outcome)
		nobody.Reuse(Step{Stage: Base})
	}); n != 0 || asked {
		t.Errorf("nobody listens: %v allocations, asked for bytes: %v", n, asked)
	}
}
