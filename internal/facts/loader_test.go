package facts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/boot"
	"stet/internal/drift"
	"stet/internal/generation"
	"stet/internal/system/systemtest"
)

func TestEntriesAreHeldAgainstTheirGenerations(t *testing.T) {
	m, _, _ := aMachine(t)
	digest := systemtest.Put(t, m.Store, systemtest.System{})
	for number, of := range map[int]string{1: digest, 2: digest, 3: strings.Repeat("0", 64)} {
		must(t, generation.In(m.Store.Dir()).Add(generation.Record{Number: number, System: of, Date: time.Unix(0, 0), Origin: generation.Boot}))
	}
	s, err := System(m.Store, digest)
	must(t, err)
	text := func(number int) string {
		return string(boot.Entry{Machine: s.Machine, Generation: number, System: digest, Kernel: s.Kernel.Digest, Initrd: s.Initrd.Digest, CommandLine: s.CommandLine}.Text())
	}
	m.ESP = t.TempDir()
	for name, content := range map[string]string{
		"EFI/BOOT/BOOTX64.EFI": "x", "EFI/systemd/systemd-bootx64.efi": "x", "loader/entries.srel": boot.EntryKinds,
		"loader/entries/stet-1.conf": text(1), "loader/entries/stet-2+2-1.conf": text(2) + "options init=/bin/sh\n",
		"loader/entries/stet-3.conf": "of a system that is gone", "loader/entries/stet-4.conf": text(1), "loader/entries/other.conf": "x",
	} {
		at := filepath.Join(m.ESP, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.WriteFile(at, []byte(content), 0o644))
	}
	seen := &drift.Seen{}
	must(t, m.loader(seen))
	have := map[string]string{}
	for _, file := range seen.ESP {
		switch {
		case !file.Known:
			have[file.Path] = "nobody's"
		case file.Text == nil:
			have[file.Path] = "missing"
		case file.Want == nil:
			have[file.Path] = "known"
		case *file.Want == *file.Text:
			have[file.Path] = "right"
		default:
			have[file.Path] = "wrong"
		}
		if file.Text != nil && time.Since(file.Changed) > time.Hour {
			t.Errorf("%s is of %v", file.Path, file.Changed)
		}
	}
	want := map[string]string{
		"EFI/BOOT/BOOTX64.EFI": "known", "EFI/systemd/systemd-bootx64.efi": "known", "loader/entries.srel": "right", "loader/loader.conf": "missing",
		"loader/entries/stet-1.conf": "right", "loader/entries/stet-2+2-1.conf": "wrong", "loader/entries/stet-3.conf": "known",
		"loader/entries/stet-4.conf": "nobody's", "loader/entries/other.conf": "nobody's",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}
