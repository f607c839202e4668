package build

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"stet/internal/graph"
	"stet/internal/initrd"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/verity"
)

// question is all that a system is built from.
type question struct {
	m       *machine.Machine
	l       *lock.Lock
	init    string
	sources fstest.MapFS
}

func newQuestion() *question {
	bash := lock.Package{Name: "bash", Version: "5.2", Architecture: "amd64", Archive: "trixie", Size: 7, SHA256: strings.Repeat("aa", 32)}
	return &question{
		m: &machine.Machine{
			Name: "hello", Debian: machine.Debian{Suite: "trixie", Architecture: "amd64"}, Hostname: "hello",
			Files:   map[string]machine.File{"/etc/motd": {Kind: machine.FileText, Text: "hello\n"}, "/srv/index": {Kind: machine.FileSource, Source: "index.html"}},
			Debconf: map[string]map[string]string{"bash": {"bash/question": "yes"}},
		},
		l: &lock.Lock{
			Epoch: 100, Archives: []lock.Archive{{ID: "trixie", Name: "debian", Suite: "trixie", Date: time.Unix(50, 0)}},
			Packages: []lock.Package{bash}, IDs: lock.IDs{Users: map[string]lock.User{"root": {}}, Groups: map[string]int{"root": 0}},
			Machines: map[string]lock.Machine{"hello": {Packages: []lock.Key{bash.Key()}}},
		},
		init:    "init",
		sources: fstest.MapFS{"index.html": {Data: []byte("hello")}},
	}
}

func (q *question) system(t *testing.T) *System {
	t.Helper()
	packages := q.l.Select(q.l.Machines["hello"].Packages)
	inputs, err := (&Builder{Init: initrd.Program{ID: q.init}}).inputs(q.m, q.l, packages, q.sources)
	if err != nil {
		t.Fatal(err)
	}
	return &System{Key: graph.Key(inputs), Packages: packages, machine: q.m, inputs: inputs}
}

// Whatever makes a system be built anew has a name, and what the scripts of a
// machine see is told as theirs: the graph's table says what rootfs is given.
func TestWhatIsBuiltAnewHasAReason(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*question)
		want   string
	}{
		{"nothing", func(*question) {}, ""},
		{"a text", func(q *question) { q.m.Files["/etc/motd"] = machine.File{Kind: machine.FileText, Text: "other\n"} }, "files./etc/motd.text"},
		{"the content of a source", func(q *question) { q.sources["index.html"] = &fstest.MapFile{Data: []byte("other")} }, "index.html"},
		{"the host name", func(q *question) { q.m.Hostname = "other" }, "hostname"},
		{"an answer", func(q *question) { q.m.Debconf["bash"]["bash/question"] = "no" }, "debconf.bash.bash/question"},
		{"the architecture", func(q *question) { q.m.Debian.Architecture = "arm64" }, "debian.architecture"},
		{"a kernel parameter", func(q *question) { q.m.Kernel.Parameters = []string{"quiet"} }, "kernel.parameters (new)"},
		{"the epoch", func(q *question) { q.l.Epoch = 200 }, "epoch 100 → 200"},
		{"stet-init", func(q *question) { q.init = "other" }, "stet-init"},
		{"an archive", func(q *question) { q.l.Archives[0].Date = time.Unix(60, 0) }, "archive trixie"},
		{"a number", func(q *question) { q.l.IDs.Users["ada"] = lock.User{UID: 1000, GID: 1000} }, "number of user ada 1000:1000 (new)"},
		{"a group", func(q *question) { q.l.IDs.Groups["ada"] = 1000 }, "number of group ada 1000 (new)"},
		{"a package", func(q *question) {
			curl := lock.Package{Name: "curl", Version: "8", Architecture: "amd64", Archive: "trixie", SHA256: strings.Repeat("bb", 32)}
			q.l.Packages = append(q.l.Packages, curl)
			q.l.Machines["hello"] = lock.Machine{Packages: append(q.l.Machines["hello"].Packages, curl.Key())}
		}, "curl 8 (new)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := newQuestion(), newQuestion()
			c.change(after)
			old, now := before.system(t), after.system(t)
			if anew := old.Key != now.Key; anew != (c.want != "") {
				t.Errorf("built anew: %v", anew)
			}
			oldInputs, err := old.Inputs()
			if err != nil {
				t.Fatal(err)
			}
			inputs, err := now.Inputs()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range graph.Compare(oldInputs, inputs) {
				got = append(got, change.String())
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("the reason is %q, want %q", got, c.want)
			}
			told := graph.Explain(graph.Facts{
				Spans: []graph.Span{{Step: graph.Step{Stage: graph.Configure}}}, Now: inputs,
				Last: &graph.Record{Format: graph.RecordFormat, Key: old.Key, Inputs: oldInputs},
			})
			i := slices.IndexFunc(told, func(n graph.Node) bool { return n.Stage == graph.Configure })
			given := [2]any{}
			for i, q := range []*question{before, after} {
				in := rootInput(nil, q.l.Select(q.l.Machines["hello"].Packages), q.m, q.l.Epoch)
				in.Load = nil
				given[i] = in
			}
			if differ := !reflect.DeepEqual(given[0], given[1]); differ != (len(told[i].Changes) > 0) {
				t.Errorf("rootfs is given something else: %v; the reasons to configure anew are %v", differ, told[i].Changes)
			}
		})
	}
}

func TestASourceThatIsGoneIsAnError(t *testing.T) {
	q := newQuestion()
	delete(q.sources, "index.html")
	_, err := (&Builder{}).inputs(q.m, q.l, nil, q.sources)
	if err == nil || !strings.Contains(err.Error(), "/srv/index: read its source") {
		t.Errorf("got %v", err)
	}
}

// Every field of a machine that JSON has is an option with a name of its own.
func TestOptionsCoverTheMachine(t *testing.T) {
	m := newQuestion().m
	all, err := options(m)
	if err != nil {
		t.Fatal(err)
	}
	names, seen := map[string]bool{}, map[string]bool{}
	for _, in := range all {
		if seen[in.Name] {
			t.Errorf("%s is there twice", in.Name)
		}
		seen[in.Name] = true
		first, _, _ := strings.Cut(in.Name, ".")
		names[first] = true
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !names[field] {
			t.Errorf("no option begins with %s", field)
		}
	}
}

func TestARecordHasWhatStepsGave(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	initrd, err := s.PutBytes([]byte("initrd"))
	if err != nil {
		t.Fatal(err)
	}
	built := newQuestion().system(t)
	built.Digest, built.Root, built.Bytes = "system", "root", 1000
	built.Manifest = &system.Manifest{Initrd: initrd, Images: map[string]verity.Digest{"etc": initrd}}
	record, err := built.Record(s)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"number": "root", "system": "system", "initrd": initrd.String(), "image etc": initrd.String()}
	if record.Key != built.Key || !maps.Equal(record.Results, want) {
		t.Errorf("the record of %s has %s and %v", built.Key, record.Key, record.Results)
	}
	sizes := map[string]int64{}
	for _, u := range built.Units(s) {
		sizes[u.String()] = u.Bytes
	}
	// An image that is not there has no size.
	if want := map[string]int64{"number": 0, "system": 1000, "initrd": 6, "image etc": 0, "import bash:amd64": 7}; !maps.Equal(sizes, want) {
		t.Errorf("the sizes are %v, not %v", sizes, want)
	}
}
