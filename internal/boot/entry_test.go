package boot

import (
	"strings"
	"testing"

	"stet/internal/verity"
)

func TestEntryText(t *testing.T) {
	e := Entry{Machine: "hello", Generation: 7, System: strings.Repeat("a", 64), Kernel: verity.Digest{1}, Initrd: verity.Digest{2}, CommandLine: "quiet"}
	want := `title Stet hello
sort-key stet
version 7
linux /stet/kernel-01000000000000000000000000000000
initrd /stet/initrd-02000000000000000000000000000000
options panic=30 systemd.crash_action=reboot quiet stet.system=` + e.System + ` stet.generation=7
`
	if got := string(e.Text()); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	e.CommandLine = ""
	if !strings.Contains(string(e.Text()), "\noptions panic=30 systemd.crash_action=reboot stet.system=") {
		t.Errorf("without a command line: %s", e.Text())
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]Name{
		"stet-7.conf":     {Generation: 7},
		"stet-12+3.conf":  {Generation: 12, Counted: true, Left: 3},
		"stet-7+2-1.conf": {Generation: 7, Counted: true, Left: 2, Done: 1},
		"stet-7+0-3.conf": {Generation: 7, Counted: true, Done: 3},
	} {
		got, ok := ParseName(name)
		if !ok || got != want || got.String() != name || got.Bad() != (name == "stet-7+0-3.conf") {
			t.Errorf("%s: %+v, %v, written %s", name, got, ok, got)
		}
	}
	for _, name := range []string{"", "stet-.conf", "stet-0.conf", "stet-7", "stet-7+.conf", "stet-7+3-.conf", "stet--7.conf", "stet-7+a.conf", "debian-7.conf", "stet-9999999999.conf", "stet-7.conf.new", ".stet-7.conf"} {
		if got, ok := ParseName(name); ok {
			t.Errorf("%q is taken for %+v", name, got)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("stet-7+2-1.conf")
	f.Fuzz(func(t *testing.T, name string) {
		n, ok := ParseName(name)
		if !ok {
			return
		}
		if again, ok := ParseName(n.String()); !ok || again != n {
			t.Errorf("%q: %+v is written %s, which is read %+v, %v", name, n, n, again, ok)
		}
	})
}
