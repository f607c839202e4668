//go:build long

package guide_test

import (
	"strings"
	"testing"

	"stet/test/program"
)

// TestOtherToolsTakeTheirFiles gives what docs/compare.md shows of other tools to
// these tools, each in a throw-away system. It reads; nothing is done.
func TestOtherToolsTakeTheirFiles(t *testing.T) {
	files := map[string]string{}
	for _, s := range whole(page(t, "docs/compare.md")) {
		files[s.file] = s.text
	}
	for _, c := range []struct{ file, in, command string }{
		{"configuration.nix", "nix-bin", "NIX_STATE_DIR=/tmp/state nix-instantiate --parse $0"},
		{"site.yml", "ansible", "LANG=C.UTF-8 ansible-playbook --syntax-check $0"},
		{"user-data", "cloud-init", "cloud-init schema --config-file $0"},
	} {
		t.Run(c.in, func(t *testing.T) {
			stet := program.New(t, t.TempDir())
			shell := stet.Command(t.Context(), "shell", "-p", c.in, "--", "sh", "-c", "cat > $0 && "+c.command, "/tmp/"+c.file)
			shell.Stdin = strings.NewReader(files[c.file])
			if out, err := shell.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
