package lock

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write testdata anew")

func hexOf(c string) string { return strings.Repeat(c, 64) }

// example has two versions and two architectures of one package, so that its
// keys need every form.
func example() *Lock {
	key := func(name, version, architecture string) Key { return Key{name, version, architecture} }
	deb := func(name, version, architecture, digit string) Package {
		return Package{
			Name: name, Version: version, Architecture: architecture, Archive: "trixie",
			Size: 270452, SHA256: hexOf(digit), Path: "pool/main/" + name[:1] + "/" + name + "/" + name + "_" + version + "_" + architecture + ".deb",
		}
	}
	return &Lock{
		Epoch: 1789199741,
		Archives: []Archive{
			{
				ID: "trixie-security", Name: "debian-security", Suite: "trixie-security",
				Components: []string{"main"}, Architectures: []string{"amd64"},
				Date: time.Unix(1795222383, 0).UTC(), SHA256: hexOf("b"), Snapshot: time.Unix(1795222800, 0).UTC(), Signers: []string{strings.Repeat("AB", 20)},
			},
			{
				ID: "trixie", Name: "debian", Suite: "trixie",
				Components: []string{"non-free-firmware", "main"}, Architectures: []string{"i386", "amd64"},
				Date: time.Unix(1789199741, 0).UTC(), SHA256: hexOf("a"), Signers: []string{strings.Repeat("AB", 20), strings.Repeat("0C", 20)},
			},
			{
				ID: "example", Name: "example", Repository: true, Suite: "stable",
				Components: []string{"main"}, Architectures: []string{"amd64"},
				Date: time.Unix(1795222384, 0).UTC(), SHA256: hexOf("7"), Signers: []string{strings.Repeat("EF", 20)}, Keys: []string{strings.Repeat("E0", 20)},
			},
			{
				ID: "flat", Name: "flat", Repository: true, Suite: "./", Architectures: []string{"amd64"},
				Date: time.Unix(1795222385, 0).UTC(), SHA256: hexOf("8"), Signers: []string{strings.Repeat("F1", 20)}, Keys: []string{strings.Repeat("F1", 20)},
			},
		},
		Packages: []Package{
			deb("nginx-light", "1.26.3-3", "amd64", "5"),
			deb("libc6", "2.41-12", "i386", "2"),
			deb("libc6", "2.41-12", "amd64", "1"),
			deb("curl", "8.14.1-2", "amd64", "3"),
			deb("curl", "8.14.1-2+deb13u2", "amd64", "4"),
			deb("e2fsprogs", "1.47.2-3", "amd64", "6"),
			{
				Name: "hello-own", Version: "1.0", Architecture: "all", Local: true,
				Size: 1234, SHA256: hexOf("9"), Path: "debs/hello-own_1.0_all.deb",
			},
			{Name: "stet-initrd", Version: "1", Architecture: "amd64", Synthetic: true},
		},
		Tools: []Key{key("e2fsprogs", "1.47.2-3", "amd64")},
		IDs: IDs{
			Users:  map[string]User{"root": {0, 0, System}, "ada": {1000, 1000, Human}, "_apt": {42, 65534, System}},
			Groups: map[string]int{"root": 0, "ada": 1000},
		},
		Machines: map[string]Machine{
			"web": {
				Wishes: hexOf("c"),
				Packages: []Key{
					key("stet-initrd", "1", "amd64"), key("hello-own", "1.0", "all"), key("nginx-light", "1.26.3-3", "amd64"),
					key("libc6", "2.41-12", "i386"), key("libc6", "2.41-12", "amd64"), key("curl", "8.14.1-2", "amd64"),
				},
			},
			"hello": {
				Wishes: hexOf("d"), Result: Result{hexOf("e"), 3},
				Packages: []Key{key("curl", "8.14.1-2+deb13u2", "amd64")},
			},
		},
	}
}

func TestFormatIsTheGoldenText(t *testing.T) {
	const golden = "testdata/example.lock"
	have := example().Format()
	if *update {
		if err := os.WriteFile(golden, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("run with -update after a wanted change:\n%s", diff)
	}
}

func TestParseReadsWhatFormatWrites(t *testing.T) {
	for name, l := range map[string]*Lock{"example": example(), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
			have, err := Parse(l.Format())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(l, have, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What older Stets wrote stays readable, and says the same.
func TestParseReadsFormat1(t *testing.T) {
	text, err := os.ReadFile("testdata/format1.lock")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Archives) != 2 || len(l.Packages) != 7 || len(l.Machines) != 2 {
		t.Errorf("read %d archives, %d packages, %d machines", len(l.Archives), len(l.Packages), len(l.Machines))
	}
	if want := strings.Replace(string(text), "format 1", "format 2", 1); string(l.Format()) != want {
		t.Error(cmp.Diff(want, string(l.Format())))
	}
}

func TestOrderInTheTextMeansNothing(t *testing.T) {
	text := string(example().Format())
	sections := strings.Split(strings.TrimSuffix(text, "\n"), "\n\n")
	shuffled := sections[0]
	for i := len(sections) - 1; i > 0; i-- {
		shuffled += "\n\n" + sections[i]
	}
	l, err := Parse([]byte(shuffled + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(l.Format())); diff != "" {
		t.Error(diff)
	}
}

// A changelog: what a person sees in a diff is the package that changed.
func TestAnUpdateChangesOneLine(t *testing.T) {
	before, after := example(), example()
	for i := range after.Packages {
		if after.Packages[i].Name == "nginx-light" {
			after.Packages[i].Version = "1.26.3-3+deb13u1"
		}
	}
	for i := range after.Machines["web"].Packages {
		if after.Machines["web"].Packages[i].Name == "nginx-light" {
			after.Machines["web"].Packages[i].Version = "1.26.3-3+deb13u1"
		}
	}
	old, changed := strings.Split(string(before.Format()), "\n"), strings.Split(string(after.Format()), "\n")
	if len(old) != len(changed) {
		t.Fatalf("%d lines became %d", len(old), len(changed))
	}
	count := 0
	for i := range old {
		if old[i] != changed[i] {
			count++
			if !strings.HasPrefix(changed[i], "  nginx-light 1.26.3-3+deb13u1 ") {
				t.Errorf("line %d changed to %q", i+1, changed[i])
			}
		}
	}
	if count != 1 {
		t.Errorf("%d lines changed", count)
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	text := string(example().Format())
	change := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, test := range map[string]struct{ text, want string }{
		"empty file":           {"", "stet.lock:1:1: the file is empty"},
		"another file":         {"hello\n", `stet.lock:1:1: the first line is not "stet.lock format N"`},
		"newer format":         {change("format 2", "format 7"), "stet.lock:1:18: format 7 is unknown to this Stet, which reads formats 1 to 2: use the Stet that wrote the lock, or a newer one"},
		"merge conflict":       {change("tools\n", "<<<<<<< HEAD\ntools\n"), "unresolved merge conflict: take either side whole"},
		"carriage return":      {change("tools\n", "tools\r\n"), "a carriage return: keep git from converting"},
		"cut off":              {text[:len(text)-3], "the last line is cut off"},
		"epoch moved":          {change("epoch 1789199741", "epoch 1789199742"), "stet.lock:5:18: 2026-09-12T07:55:41Z is not 1789199742"},
		"no epoch":             {change("epoch 1789199741 2026-09-12T07:55:41Z\n", ""), "no epoch"},
		"unknown section":      {change("tools\n", "toolz\n"), `"toolz" is no section of a lock`},
		"unknown archive":      {change("curl 8.14.1-2 amd64 trixie", "curl 8.14.1-2 amd64 sid"), `stet.lock:44:23: no archive "sid" in this lock`},
		"unknown key":          {change("    nginx-light", "    nginx"), `no package "nginx" in this lock`},
		"ambiguous key":        {change("    libc6:i386", "    libc6"), `"libc6" may be libc6:amd64=2.41-12 or libc6:i386=2.41-12`},
		"key twice":            {change("    libc6:i386", "    libc6:amd64"), `"libc6:amd64" is listed twice`},
		"upper-case hash":      {change(hexOf("3"), hexOf("A")), "SHA-256 has 'A', want lower-case"},
		"short hash":           {change(hexOf("3"), "33"), "SHA-256 has 2 characters"},
		"path leads out":       {change("pool/main/c/curl/", "pool/../../curl/"), "leads out of the archive"},
		"absolute path":        {change("pool/main/c/curl/", "/pool/main/c/curl/"), "has an empty path element"},
		"negative size":        {change("270452", "-1"), `"-1" is not a number`},
		"two spaces":           {change("curl 8.14.1-2 ", "curl  8.14.1-2 "), "separated by one space"},
		"missing field":        {change(" 270452", ""), `want "NAME VERSION ARCHITECTURE ARCHIVE SIZE SHA256 PATH", have 6 fields`},
		"package twice":        {change("  libc6 2.41-12 i386", "  libc6 2.41-12 amd64"), "a second line for libc6:amd64=2.41-12"},
		"odd indentation":      {change("  libc6 2.41-12 i386", "   libc6 2.41-12 i386"), "indented by 3 spaces"},
		"unknown kind":         {change(" human", " robot"), `a user is "system" or "human", not "robot"`},
		"machine twice":        {change("machine web", "machine hello"), `a second machine "hello"`},
		"machine sans wishes":  {change("  wishes sha256 "+hexOf("c")+"\n", ""), `machine "web" lacks its wishes`},
		"archive named local":  {change("archive example", "archive local"), `"local" cannot name an archive`},
		"flat with components": {change("  suite ./\n", "  suite ./\n  components main\n"), `archive "flat" lacks`},
		"suite leads out":      {change("  suite ./\n", "  suite ../\n"), "leads out"},
		"local leads out":      {change("debs/hello-own", "../hello-own"), "leads out"},
		"name and repository":  {change("  repository flat\n", "  repository flat\n  name debian\n"), "a second name"},
		"key of other length":  {change("  key "+strings.Repeat("E0", 20), "  key E0"), "fingerprint has 2 characters"},
		"lower fingerprint":    {change(strings.Repeat("0C", 20), strings.Repeat("0c", 20)), "want upper-case"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.text))
			var placed *Error
			if !errors.As(err, &placed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("have %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestCheckRefusesWhatTheTextCannotCarry(t *testing.T) {
	for name, spoil := range map[string]func(*Lock){
		"line feed in a name":        func(l *Lock) { l.Packages[0].Name = "a\n  b" },
		"archive that is not there":  func(l *Lock) { l.Packages[0].Archive = "sid" },
		"key that names nothing":     func(l *Lock) { l.Tools[0].Name = "nothing" },
		"fraction of a second":       func(l *Lock) { l.Archives[0].Date = l.Archives[0].Date.Add(time.Millisecond) },
		"synthetic with an archive":  func(l *Lock) { l.Packages[7].Size = 1 },
		"machine without its wishes": func(l *Lock) { l.Machines["web"] = Machine{} },
	} {
		t.Run(name, func(t *testing.T) {
			l := example()
			spoil(l)
			if err := l.Check(); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestSelectGivesThePackagesOfAMachine(t *testing.T) {
	l := example()
	l.Sort()
	have := l.Select(l.Machines["hello"].Packages)
	if len(have) != 1 || have[0].SHA256 != hexOf("4") {
		t.Errorf("have %v", have)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example().Format())
	f.Add([]byte("stet.lock format 1\nepoch 0 1970-01-01T00:00:00Z\npackages\n  a 1 all synthetic\ntools\n  a=1\n"))
	f.Add([]byte("stet.lock format 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		if err := l.Check(); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(l.Format())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(l.Format(), again.Format()) {
			t.Error("its text reads back as another text")
		}
	})
}
