package edition

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"stet/internal/config"
)

func TestPackagesAreWantedAndNot(t *testing.T) {
	for _, c := range []struct {
		name, before string
		edit         func(Edition, context.Context, []string) ([]File, error)
		packages     []string
		want         string // "" when nothing changes
	}{
		{"one more in a list", "packages: [curl]\n", Edition.Want, []string{"git", "htop"}, "packages: [curl, git, htop]\n"},
		{"one more in a map", "packages:\n  curl: {hold: true}\n", Edition.Want, []string{"git"}, "packages:\n  curl: {hold: true}\n  git: {}\n"},
		{"the first", "base: minimal\n", Edition.Want, []string{"git"}, "base: minimal\npackages: [git]\n"},
		{"one that is wanted of a suite", "packages: [git/trixie-backports]\ndebian: {suites: [trixie-backports]}\n", Edition.Want, []string{"git"}, ""},
		{"one that only a module wants", "services: {ssh: {}}\n", Edition.Want, []string{"openssh-server"}, "services: {ssh: {}}\npackages: [openssh-server]\n"},
		{"one less", "packages: [curl, git]\n", Edition.WantNoMore, []string{"curl"}, "packages: [git]\n"},
		{"one less of a suite", "packages: [git/trixie-backports, curl=1.0]\ndebian: {suites: [trixie-backports]}\n", Edition.WantNoMore, []string{"git", "curl"}, "packages: []\ndebian: {suites: [trixie-backports]}\n"},
		{"one that nobody wants", "packages: [git]\n", Edition.WantNoMore, []string{"curl"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "stet.yaml"), []byte("name: web\n"+c.before), 0o644); err != nil {
				t.Fatal(err)
			}
			configuration, err := config.Load(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			files, err := c.edit(Edition{configuration, "web"}, t.Context(), c.packages)
			if err != nil {
				t.Fatal(err)
			}
			have := ""
			if len(files) > 0 {
				have = string(files[0].Content)
			}
			want := ""
			if c.want != "" {
				want = "name: web\n" + c.want
			}
			if have != want {
				t.Errorf("have\n%s\nwant\n%s", have, want)
			}
			if err := Write(dir, files); err != nil {
				t.Fatal(err)
			}
			if err := TakeBack(dir, files); err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(filepath.Join(dir, "stet.yaml")); err != nil || string(text) != "name: web\n"+c.before {
				t.Errorf("taken back, it is\n%s%v", text, err)
			}
		})
	}
}
