package twice_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"stet/internal/build"
	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
)

func TestMain(m *testing.M) {
	loopback.Main()
	os.Exit(m.Run())
}

// postinst is a maintainer script.
func postinst(lines string) map[string]string {
	return map[string]string{"postinst": "#!/bin/sh\nset -e\n" + lines + "\n"}
}

// provocations are packages whose scripts leave what they should not, and what
// must be said of each path.
var provocations = []struct {
	deb  mirrortest.Deb
	want []build.Difference
}{
	{
		mirrortest.Deb{Name: "clock", Scripts: postinst("date > /etc/clock.stamp\nmkdir -p /var/lib/clock\ndate +%s > /var/lib/clock/epoch")},
		[]build.Difference{
			{Path: "/etc/clock.stamp", Package: "clock", By: "postinst names it", How: "time stamp", Class: "kept", Treat: "normalise"},
			{Path: "/var/lib/clock/epoch", Package: "clock", By: "postinst names it", How: "time stamp", Class: "dropped"},
		},
	},
	{
		mirrortest.Deb{
			Name: "dice", Files: map[string]string{"/usr/share/dice/faces": "6\n"},
			Scripts: postinst("cat /proc/sys/kernel/random/uuid > /etc/dice.id\nod -An -v -tx1 -N24 /dev/urandom | tr -d ' \\n' > /usr/share/dice/noise"),
		},
		[]build.Difference{
			{Path: "/etc/dice.id", Package: "dice", By: "postinst names it", How: "random", Class: "identity"},
			{Path: "/usr/share/dice/noise", Package: "dice", By: "postinst names it", How: "random", Class: "kept", Treat: "normalise"},
		},
	},
	{
		mirrortest.Deb{Name: "process", Files: map[string]string{"/usr/share/process/readme": "x\n"}, Scripts: postinst("cd /usr/share/process\necho \"started by $$\" > owner")},
		[]build.Difference{
			{Path: "/usr/share/process/owner", Package: "process", By: "postinst names its parts", How: "process number", Class: "dropped"},
		},
	},
	{
		mirrortest.Deb{Name: "lister", Scripts: postinst("mkdir -p /var/lib/lister\nls -U /usr/bin > /var/lib/lister/programs")},
		[]build.Difference{
			{Path: "/var/lib/lister/programs", Package: "lister", By: "postinst names it", How: "order", Class: "kept", Treat: "sort"},
		},
	},
	{
		mirrortest.Deb{
			Name: "waiting", Files: map[string]string{"/usr/share/waited/readme": "x\n"},
			Scripts: map[string]string{"triggers": "interest-noawait /usr/share/waited\n", "postinst": "#!/bin/sh\nset -e\ndpkg-query --control-show waiting triggers | while read -r how dir; do date +%s%N > $dir/index; done\n"},
		},
		nil, // what it writes is asked of the next
	},
	{
		mirrortest.Deb{Name: "awaited", Files: map[string]string{"/usr/share/waited/thing": "x\n"}},
		[]build.Difference{
			{Path: "/usr/share/waited/index", Package: "waiting", By: "its trigger /usr/share/waited", How: "time stamp", Class: "kept", Treat: "normalise"},
		},
	},
	{
		mirrortest.Deb{Name: "logger", Scripts: postinst("mkdir -p /var/lib/logger\ntouch $(mktemp -u /var/lib/logger/session.XXXXXXXX)")},
		nil, // its two names are looked for below
	},
	{
		// What the sandbox keeps from scripts can make no difference.
		mirrortest.Deb{Name: "curious", Scripts: postinst("{ uname -a; nproc; date +%Z; locale 2>/dev/null; umask; env | sort; cat /proc/cpuinfo /proc/meminfo ; } > /etc/curious || true")},
		nil,
	},
}

func TestEachDifferenceIsNamed(t *testing.T) {
	var debs []mirrortest.Deb
	var names []string
	want := map[string]build.Difference{}
	for _, p := range provocations {
		debs = append(debs, p.deb)
		names = append(names, p.deb.Name)
		for _, d := range p.want {
			want[d.Path] = d
		}
	}
	// Six packages add to one file, in the order in which they are configured.
	for i := range 6 {
		name := fmt.Sprintf("adder%d", i)
		debs = append(debs, mirrortest.Deb{Name: name, Scripts: postinst("echo " + name + " >> /etc/added")})
		names = append(names, name)
	}
	want["/etc/added"] = build.Difference{Path: "/etc/added", Package: "adder0 or adder1 or adder2 or …", By: "postinst names it", How: "order", Class: "kept", Treat: "sort"}

	w := loopback.New(t, debs...)
	w.Serve(t)
	w.GiveDebs(t)
	w.Want(t, names...)
	w.Stet.Must(t, "lock")
	found := buildTwice(t, w.Stet, 11)
	if found.Same {
		t.Fatal("it is said to be the same")
	}
	sessions := 0
	for _, d := range found.Differences {
		if strings.HasPrefix(d.Path, "/var/lib/logger/session.") && d.Package == "logger" && d.How == "there in one build only" {
			sessions++
			continue
		}
		expected, ok := want[d.Path]
		if !ok {
			t.Errorf("%s: nothing should differ", d)
			continue
		}
		if d != expected {
			t.Errorf("it says   %s\nit should %s", d, expected)
		}
		delete(want, d.Path)
	}
	for path := range want {
		t.Errorf("%s: not named", path)
	}
	if sessions != 2 {
		t.Errorf("%d random names were found, not 2", sessions)
	}

	// People see one screen.
	r := w.Stet.Run(t, "build", "--twice", "--seed", "11")
	lines := strings.Count(r.Stdout, "\n")
	if r.Code != 1 || lines > 24 || !strings.Contains(r.Stdout, "/etc/dice.id: dice (postinst names it); random; class identity") {
		t.Errorf("exit code %d, and %d lines:\n%s%s", r.Code, lines, r.Stdout, r.Stderr)
	}
}
