package boot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatTheFirmwareReadsIsListed(t *testing.T) {
	esp := t.TempDir()
	for name, text := range map[string]string{
		"EFI/Boot/bootx64.efi":               "loader", // FAT does not tell them apart
		"EFI/systemd/systemd-bootx64.efi":    "loader",
		"EFI/debian/grubx64.efi":             "grub",
		"EFI/debian/fonts/unicode.pf2":       "font",
		"EFI/BOOT.CSV":                       "x",
		"loader/loader.conf":                 "default stet-1.conf\n",
		"loader/entries/stet-1.conf":         "title Stet\n",
		"loader/entries/.stet-2+3.conf":      "half",
		"loader/entries/debian.conf":         "title Debian\n",
		"loader/entries/stet-0.conf":         "title Stet\n",
		"loader/random-seed":                 "seed",
		"stet/kernel-0123456789abcdef":       "kernel",
		"System Volume Information/settings": "x",
	} {
		at := filepath.Join(esp, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Contents(esp)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, c := range all {
		said := "not known"
		if c.Known {
			said = "known"
		}
		if c.Text != nil {
			said += ", has " + *c.Text
		}
		if c.Want != nil {
			said += ", wants " + *c.Want
		}
		have[c.Path] = said
	}
	want := map[string]string{
		"EFI/Boot/bootx64.efi": "known, has ", "EFI/systemd/systemd-bootx64.efi": "known, has ", "EFI/debian": "not known", "EFI/BOOT.CSV": "not known",
		"loader/loader.conf": "known, has default stet-1.conf\n, wants timeout 3\n", "loader/entries.srel": "known, wants type1\n",
		"loader/entries/stet-1.conf": "known, has title Stet\n", "loader/entries/.stet-2+3.conf": "known, has half",
		"loader/entries/debian.conf": "not known", "loader/entries/stet-0.conf": "not known", "loader/random-seed": "not known",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}
