package integrity

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// fixture is a store with one system, which two generations have.
type fixture struct {
	*testing.T
	*store.Store
	system   string
	manifest *system.Manifest
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) put(content string) verity.Digest {
	d, err := f.PutBytes([]byte(content))
	f.must(err)
	return d
}

// tree stores a tree of files, and its image.
func (f *fixture) tree(name string, files map[string]string) {
	b := tree.NewBuilder()
	b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	for path, content := range files {
		b.MakeParents(path, tree.Time{})
		b.Put(tree.Entry{Path: path, Type: tree.Regular, Mode: 0o644, Size: int64(len(content)), Digest: f.put(content)})
	}
	made, err := b.Tree()
	f.must(err)
	f.manifest.Trees[name], err = f.PutTree(made)
	f.must(err)
	f.manifest.Images[name], err = f.PutImage(func(w io.Writer) error { _, err := io.WriteString(w, "image "+made.Digest()); return err })
	f.must(err)
}

const tac = "the program tac"

func newFixture(t *testing.T) *fixture {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := &fixture{T: t, Store: s, manifest: &system.Manifest{Format: 1, Machine: "hello", Trees: map[string]string{}, Images: map[string]verity.Digest{}}}
	f.tree("usr", map[string]string{
		"/bin/tac": tac, "/bin/same": tac, "/lib/stet/boot/vmlinuz-6": "kernel",
		"/lib/sysimage/dpkg/info/coreutils.list":    "/.\n/usr/bin/tac\n",
		"/lib/sysimage/dpkg/info/libfoo:amd64.list": "/etc/foo\n",
	})
	f.tree("etc", map[string]string{"/foo": "configuration", "/empty": ""})
	f.manifest.Kernel, f.manifest.Initrd = f.put("kernel"), f.put("initrd")
	text, err := f.manifest.Text()
	f.must(err)
	f.system, err = f.PutSystem(text)
	f.must(err)
	for _, number := range []int{1, 2} {
		f.generation(number, f.system)
	}
	f.put("nobody's")
	return f
}

func (f *fixture) generation(number int, system string) {
	record, err := generation.Record{Number: number, System: system, Date: time.Unix(0, 0), Origin: generation.Image}.Text()
	f.must(err)
	dir := generation.In(f.Dir()).Path(number)
	f.must(os.MkdirAll(dir, 0o700))
	f.must(os.WriteFile(filepath.Join(dir, "record.json"), record, 0o600))
}

// spoil writes over a file of the store.
func (f *fixture) spoil(name, content string) {
	f.must(os.Remove(filepath.Join(f.Dir(), name)))
	f.must(os.WriteFile(filepath.Join(f.Dir(), name), []byte(content), 0o600))
}

func (f *fixture) object(content string) string {
	name, err := filepath.Rel(f.Dir(), f.ObjectPath(verity.Sum([]byte(content))))
	f.must(err)
	return name
}

// findings are those of a look at the store, with the hurts as "path package".
func (f *fixture) findings(o Options) map[string]string {
	f.Helper()
	report, err := Verify(context.Background(), f.Store, o)
	f.must(err)
	got := map[string]string{}
	for _, finding := range report.Findings {
		if finding.Problem == Unsealed {
			continue // the tests' file system has fs-verity, and they write past the store
		}
		words := []string{string(finding.Problem)}
		for _, h := range finding.Hurts {
			words = append(words, strings.TrimSpace(h.Path+" "+h.Package))
			if len(h.Generations) != 2 || len(h.Systems) != 1 {
				f.Errorf("%s hurts %+v", finding.Name, h)
			}
		}
		got[finding.Name] = strings.Join(words, "; ")
	}
	return got
}

func TestAWholeStoreHasNoFindings(t *testing.T) {
	f := newFixture(t)
	for _, quick := range []bool{false, true} {
		report, err := Verify(t.Context(), f.Store, Options{Quick: quick})
		if err != nil || len(report.Findings) != 0 || report.Files != 12 {
			t.Errorf("quick %v: %+v, %v", quick, report, err)
		}
	}
}

func TestEachDamageIsNamedWithWhatItHurts(t *testing.T) {
	f := newFixture(t)
	f.spoil(f.object(tac), "the program cat")
	f.spoil(f.object("nobody's"), "somebody's")
	f.spoil(f.object("initrd"), "another")
	f.spoil(filepath.Join("images", f.manifest.Images["usr"].String()), "an image")
	f.must(os.Remove(filepath.Join(f.Dir(), f.object("configuration"))))
	want := map[string]string{
		f.object(tac):                                 "damaged; /usr/bin/same; /usr/bin/tac coreutils",
		f.object("nobody's"):                          "damaged",
		f.object("initrd"):                            "damaged; the initrd",
		f.object("configuration"):                     "missing; /etc/foo libfoo",
		"images/" + f.manifest.Images["usr"].String(): "damaged; ",
	}
	if diff := cmp.Diff(want, f.findings(Options{})); diff != "" {
		t.Error(diff)
	}
	// Without reading, what has the right size looks right.
	delete(want, f.object(tac))
	delete(want, f.object("nobody's"))
	delete(want, f.object("initrd"))
	delete(want, "images/"+f.manifest.Images["usr"].String())
	if diff := cmp.Diff(want, f.findings(Options{Quick: true})); diff != "" {
		t.Errorf("quick: %s", diff)
	}
}

func TestDamagedRecordsAreNamed(t *testing.T) {
	f := newFixture(t)
	f.spoil("trees/"+f.manifest.Trees["etc"], "/ 0 40700 1 0 0 0 0.0 - - -\n")
	if diff := cmp.Diff(map[string]string{"trees/" + f.manifest.Trees["etc"]: "damaged; "}, f.findings(Options{})); diff != "" {
		t.Error(diff)
	}
	f = newFixture(t)
	f.spoil("systems/"+f.system, "{}")
	if diff := cmp.Diff(map[string]string{"systems/" + f.system: "damaged; "}, f.findings(Options{})); diff != "" {
		t.Error(diff)
	}
	f = newFixture(t)
	f.must(os.Remove(filepath.Join(f.Dir(), "systems", f.system)))
	if diff := cmp.Diff(map[string]string{"systems/" + f.system: "missing; "}, f.findings(Options{})); diff != "" {
		t.Error(diff)
	}
	f = newFixture(t)
	f.spoil("generations/2/record.json", "{}")
	report, err := Verify(t.Context(), f.Store, Options{})
	f.must(err)
	if len(report.Findings) != 1 || report.Findings[0].Name != "generations/2/record.json" || report.Findings[0].Hurts[0].Generations[0] != 2 {
		t.Errorf("%+v", report.Findings)
	}
}

func TestVerifyCanBeInterrupted(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if report, err := Verify(ctx, f.Store, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", report, err)
	}
}
