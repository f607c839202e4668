package rootfs

import (
	"context"
	"strings"
	"testing"

	"stet/internal/tree"
)

func TestDivertedFilesLieElsewhere(t *testing.T) {
	s := openStore(t)
	tiny := pkg(t, s, stanza("tiny"), "/usr/share/x/help =small", "/etc/c =conf", "/lib/y =y", "@conffiles =/etc/c\n")
	full := pkg(t, s, stanza("full"), "/usr/share/x/help =whole")
	diverted := parseDiversions([]byte("/usr/share/x/help\n/usr/share/x/help.tiny\nfull\n/etc/c\n/etc/c.local\n:\n/lib/y\n/lib/y.old\nfull\n"))
	m, err := merge([]*Package{tiny, full}, diverted, tree.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeDatabase(s, m, []*Package{tiny, full}, nil, "amd64", tree.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := diverted.write(s, m.files, tree.Time{}); err != nil {
		t.Fatal(err)
	}
	made, err := m.files.Tree()
	if err != nil {
		t.Fatal(err)
	}
	have := paths(t, s, made)
	for _, want := range []string{
		"/usr/share/x/help.tiny=small", "/usr/share/x/help=whole", "/etc/c.local=conf", "/usr/lib/y.old=y",
		// dpkg's lists have the paths that packages ship.
		"/var/lib/dpkg/info/tiny.list=/.\n/etc\n/etc/c\n",
		"Conffiles:\n /etc/c ",
		"/var/lib/dpkg/diversions=/usr/share/x/help\n",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("there is no %q in\n%s", want, have)
		}
	}
	if _, err := merge([]*Package{tiny, full}, diversions{}, tree.Time{}); err == nil {
		t.Error("without the diversion there is no conflict")
	}
}

func TestWithoutABaseNothingIsDiverted(t *testing.T) {
	b := Builder{Store: openStore(t)}
	p := pkg(t, b.Store, stanza("a"), "@preinst =dpkg-divert --add /x")
	if d, err := b.diversions(context.Background(), []*Package{p}, nil, 0); err != nil || len(d.to) > 0 {
		t.Errorf("have %v, %v", d, err)
	}
}
