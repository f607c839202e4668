package rootfs

import (
	"testing"

	"stet/internal/store"
	"stet/internal/tree"
)

// rootOf makes a tree of files with the given contents.
func rootOf(t *testing.T, s *store.Store, files map[string]string) *tree.Tree {
	t.Helper()
	b := tree.NewBuilder()
	for name, text := range files {
		if err := putFile(s, b, name, []byte(text), 0o755, tree.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestHeadStartCountsOnlyWhenNothingElseHappened plays the scripts by what they
// change ("" removes) in a root with one program, whose outcome is there already.
func TestHeadStartCountsOnlyWhenNothingElseHappened(t *testing.T) {
	const (
		program = "/usr/sbin/depmod"
		calls   = program + ".calls"
		outcome = "/usr/lib/modules/6.12/modules.dep"
	)
	shipped := map[string]string{
		program: "the program", "/usr/lib/modules/6.12/a.ko": "module", "/usr/lib/modules/6.12/modules.order": "a.ko", "/etc/a": "1",
	}
	for name, c := range map[string]struct {
		scripts map[string]string
		failed  bool // the head start itself
		counts  bool
		outcome bool
	}{
		"a call":                          {scripts: map[string]string{calls: "6.12\n"}, counts: true, outcome: true},
		"two calls":                       {scripts: map[string]string{calls: "6.12\n6.12\n"}, counts: true, outcome: true},
		"no call":                         {counts: true},
		"a call, and other work":          {scripts: map[string]string{calls: "6.12\n", "/etc/a": "2", "/etc/b": "3"}, counts: true, outcome: true},
		"a call for another kernel":       {scripts: map[string]string{calls: "7.0\n"}, counts: true},
		"a call with options":             {scripts: map[string]string{calls: "-a 6.12\n"}},
		"one of two calls with options":   {scripts: map[string]string{calls: "6.12\n-n\n"}},
		"a module more":                   {scripts: map[string]string{calls: "6.12\n", "/usr/lib/modules/6.12/b.ko": "module"}},
		"a module changed":                {scripts: map[string]string{calls: "6.12\n", "/usr/lib/modules/6.12/a.ko": "other"}},
		"a module gone":                   {scripts: map[string]string{calls: "6.12\n", "/usr/lib/modules/6.12/a.ko": ""}},
		"a shipped list changed":          {scripts: map[string]string{calls: "6.12\n", "/usr/lib/modules/6.12/modules.order": "b.ko"}},
		"a setting":                       {scripts: map[string]string{calls: "6.12\n", "/etc/depmod.d/x.conf": "search x"}},
		"another program in its place":    {scripts: map[string]string{program: "diverted"}},
		"the program gone":                {scripts: map[string]string{program: ""}},
		"a head start that failed itself": {scripts: map[string]string{calls: "6.12\n"}, failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			before := rootOf(t, s, shipped)
			with := map[string]string{outcome: "made"}
			for name, text := range shipped {
				with[name] = text
			}
			started := &begun{of: headStarts[:1], before: before, result: make(chan *tree.Tree, 1)}
			var err error
			if started.stubbed, err = stubbed(s, before, started.of); err != nil {
				t.Fatal(err)
			}
			result := rootOf(t, s, with)
			if c.failed {
				result = nil
			}
			started.result <- result
			b := tree.NewBuilder(started.stubbed)
			for name, text := range c.scripts {
				if text == "" {
					b.Remove(name)
				} else if err := putFile(s, b, name, []byte(text), 0o755, tree.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			left, err := b.Tree()
			if err != nil {
				t.Fatal(err)
			}
			whole, err := started.end(s, left)
			if err != nil || (whole != nil) != c.counts {
				t.Fatalf("it counts: %v, %v", whole != nil, err)
			}
			if !c.counts {
				return
			}
			if text, err := readFile(s, whole, program); err != nil || string(text) != "the program" {
				t.Errorf("the program is %q, %v", text, err)
			}
			if _, there := whole.Lookup(calls); there {
				t.Error("the notes of the calls were left")
			}
			if _, there := whole.Lookup(outcome); there != c.outcome {
				t.Errorf("the outcome is there: %v", there)
			}
			for name, want := range c.scripts {
				if text, err := readFile(s, whole, name); name != calls && (err != nil || string(text) != want) {
					t.Errorf("%s is %q, %v", name, text, err)
				}
			}
		})
	}
}

func TestHeadStartIsOfWhatARootHas(t *testing.T) {
	s := openStore(t)
	before := rootOf(t, s, map[string]string{"/usr/bin/systemd-hwdb": "the program", "/etc/a": "1"})
	b := Builder{Store: s, Provider: Overlay{}}
	other := &Package{Files: rootOf(t, s, map[string]string{"/usr/lib/udev/rules.d/a": "1", "/usr/lib/modules/6.12/a.ko": "1"})}
	if started, err := b.begin(t.Context(), before, startsFor([]*Package{other}), 0); err != nil || len(started.of) != 0 {
		t.Errorf("nothing fresh wants a head start: %v, %v", started, err)
	}
	udev := &Package{Files: rootOf(t, s, map[string]string{"/usr/lib/udev/hwdb.d/a": "1"})}
	started, err := b.begin(t.Context(), before, startsFor([]*Package{other, udev}), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(started.of) != 1 || started.of[0].program != "/usr/bin/systemd-hwdb" {
		t.Errorf("begun: %+v", started.of)
	}
	// The root has no shell: what cannot be run ahead is the scripts' own affair.
	if whole, err := started.end(s, started.stubbed); whole != nil || err != nil {
		t.Errorf("%v, %v", whole, err)
	}
}
