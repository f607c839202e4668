package rootfs

import (
	"strings"
	"testing"

	"stet/internal/residue"
)

// What is a function of all packages is made by the real shell, last of all.
func TestLastScriptMakesAnewWhatItsPackageIsThereFor(t *testing.T) {
	table, err := residue.Parse([]byte("Format: 1\n\n" +
		"Paths: /var/cache/index/\nClass: derived\nPackage: indexer\nMake: echo \"it's made\"\nWhy: x\n\n" +
		"Paths: /usr/share/list\nClass: kept\nPackage: lister\nMake: list\nWhy: x\n\n" +
		"Paths: /etc/key\nClass: identity\nPackage: indexer\nDone: /etc/key\nMake: never\nWhy: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t)
	have := lastScript(table, []*Package{pkg(t, s, stanza("indexer"))})
	want := noScript + "echo 'step: make indexer' >&3\nmkdir -p '/var/cache/index'\nfind '/var/cache/index' -mindepth 1 -delete\nsh -c 'echo \"it'\\''s made\"'\n"
	if have != want {
		t.Errorf("have %q\nwant %q", have, want)
	}
	if both := lastScript(table, []*Package{pkg(t, s, stanza("lister")), pkg(t, s, stanza("indexer"))}); !strings.Contains(both, "rm -f '/usr/share/list'\nsh -c 'list'\n") {
		t.Errorf("of both packages it has %q", both)
	}
	if none := lastScript(table, nil); none != "" {
		t.Errorf("of no package it has %q", none)
	}
}
