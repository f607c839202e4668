package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/gpt"
)

var digest = strings.Repeat("0123456789abcdef", 4)

func TestCommandLineNamesTheSystem(t *testing.T) {
	other := strings.Repeat("f", 64)
	tests := []struct {
		text, system string
		panicAfter   int
		err          string
	}{
		{"console=ttyS0 stet.system=" + digest + " quiet\n", digest, 0, ""},
		{"stet.system=" + other + " stet.system=" + digest, digest, 0, ""},
		{"panic=-1 stet.system=" + digest, digest, -1, ""},
		{"panic=10 stet.system=" + digest + " -- stet.system=" + other, digest, 10, ""},
		{"quiet", "", 0, "does not say which system"},
		{"stet.system", "", 0, "does not say which system"},
		{"", "", 0, "does not say which system"},
		{"stet.system=../../etc/shadow", "../../etc/shadow", 0, "is no digest"},
		{"stet.system=" + strings.ToUpper(digest), strings.ToUpper(digest), 0, "is no digest"},
		{"stet.system=" + digest[1:], digest[1:], 0, "is no digest"},
		{"stet.system=" + digest + " stet.store=vda3", digest, 0, "stet.store="},
	}
	for _, test := range tests {
		got, err := parseCommandLine(test.text)
		if got.system != test.system || got.panicAfter != test.panicAfter {
			t.Errorf("%q: %+v", test.text, got)
		}
		checkRemedy(t, test.text, err, test.err)
	}
	got, err := parseCommandLine("stet.generation=7 stet.store=BED90B21-26ff-441d-a7f4-89d1b1b57f80 stet.system=" + digest)
	if err != nil || got.generation != 7 || got.store != gpt.Store {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestManifestIsCheckedBeforeItIsBelieved(t *testing.T) {
	good := fmt.Sprintf(`{"format":1,"machine":"hello","trees":{"usr":"x"},"images":{"usr":%q,"etc":%q}}`, digest, digest)
	tests := []struct{ name, text, err string }{
		{"good", good, ""},
		{"empty", "", "cannot be read"},
		{"not JSON", "format: 1", "cannot be read"},
		{"wrong type", `{"format":1,"images":[]}`, "cannot be read"},
		{"newer format", `{"format":2,"images":{"usr":{"new":true}}}`, "has format 2; this initrd knows 1"},
		{"no etc", fmt.Sprintf(`{"format":1,"images":{"usr":%q}}`, digest), "names no etc image"},
		{"image that is a path", fmt.Sprintf(`{"format":1,"images":{"usr":%q,"etc":"../../x"}}`, digest), "no digest of the etc image"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sum := sha256.Sum256([]byte(test.text))
			_, err := parseManifest([]byte(test.text), hex.EncodeToString(sum[:]))
			checkRemedy(t, test.name, err, test.err)
			_, err = parseManifest([]byte(test.text+" "), hex.EncodeToString(sum[:]))
			checkRemedy(t, "one byte more", err, "is damaged")
		})
	}
	checkRemedy(t, "missing", missingManifest(digest, os.ErrNotExist), "the store has no system 0123456789ab")
	checkRemedy(t, "unreadable", missingManifest(digest, unix.EIO), "input/output error")
}

// checkRemedy wants an error that says want, and what to do about it.
func checkRemedy(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	var r remedy
	if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &r) || r.do == "" {
		t.Errorf("%s: %v, want it to say %q and what to do", what, err, want)
	}
}

func TestEmergencyReadsAsPlainWords(t *testing.T) {
	want := `

  This machine cannot start.

  What is wrong:  the store has no system 0123456789ab
  What to do:     Choose another entry in the boot menu: this one is older or newer than the disk.

  Press Enter for a prompt. Without, the machine powers off in 60 seconds.

`
	if got := explain(fmt.Errorf("boot: %w", missingManifest(digest, os.ErrNotExist)), time.Minute, false); got != strings.Replace(want, "the store", "boot: the store", 1) {
		t.Errorf("%s", got)
	}
	if got := explain(errors.New("two\nlines"), 0, true); !strings.Contains(got, "two\n                  lines") || !strings.Contains(got, "restarts in 0 seconds") || strings.Contains(got, "What to do") {
		t.Errorf("%s", got)
	}
}

func TestRootHasEveryMountPoint(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	root := t.TempDir()
	if err := layOut(root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		"usr": os.ModeDir | 0o755, "root": os.ModeDir | 0o700, "stet": os.ModeDir | 0o700,
		"tmp": os.ModeDir | os.ModeSticky | 0o777, "efi": os.ModeDir | 0o755, "bin": os.ModeSymlink | 0o777,
	} {
		if info, err := os.Lstat(filepath.Join(root, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info, err, want)
		}
	}
	for _, f := range kernelFileSystems() {
		if info, err := os.Stat(filepath.Join(root, f.target)); err != nil || !info.IsDir() {
			t.Errorf("no place for %s: %v", f.fstype, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(root, "boot")); err != nil || target != "usr/lib/stet/boot" {
		t.Errorf("boot: %s, %v", target, err)
	}
}

func TestWhatComesWithTheInitrdIsCopiedOverWhatIsThere(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, directory := range []string{filepath.Join(from, "systemd/system"), filepath.Join(to, "systemd")} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(from, "systemd/system/agent.service"), []byte("[Service]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../agent.service", filepath.Join(from, "systemd/system/link")); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(from, to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(to, "systemd/system/agent.service")); err != nil || string(got) != "[Service]\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := os.Readlink(filepath.Join(to, "systemd/system/link")); err != nil || got != "../agent.service" {
		t.Errorf("%q, %v", got, err)
	}
	if err := copyTree(filepath.Join(from, "nothing"), to); err != nil {
		t.Errorf("without such a directory: %v", err)
	}
}

func FuzzParseCommandLine(f *testing.F) {
	f.Add("console=ttyS0 stet.system=" + digest + " panic=5 -- x")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCommandLine(text)
		if err == nil && (len(c.system) != 64 || strings.ContainsAny(c.system, "/.")) {
			t.Errorf("%q names system %q", text, c.system)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"machine":"hello","images":{"usr":"x","etc":"y"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		sum := sha256.Sum256(text)
		m, err := parseManifest(text, hex.EncodeToString(sum[:]))
		if err != nil {
			return
		}
		for tree, image := range m.Images {
			if !isDigest(image) {
				t.Errorf("%s image %q", tree, image)
			}
		}
	})
}
