package drift

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
)

func TestOnlyWhatIsChosenIsPutBack(t *testing.T) {
	drifted := []plan.Drifted{
		{Path: "/etc/group"}, {Path: "/etc/machine-id", Persisted: true}, {Path: "/etc/motd"},
		{Path: "/etc/new"}, {Path: "/etc/new/a"}, {Path: "/etc/new/b"}, {Path: "/etc/passwd"}, {Path: "/etc/passwd-"},
	}
	found := []Finding{
		{Kind: File, Name: "/etc/motd", Path: "/etc/motd", Change: plan.Modified},
		{Kind: File, Name: "/etc/new/a", Path: "/etc/new/a", Change: plan.Added},
		{Kind: File, Name: "/etc/new/b", Path: "/etc/new/b", Change: plan.Added},
		{Kind: User, Name: "eve", Path: "/etc/passwd", Change: plan.Added},
		{Kind: Group, Name: "eve", Path: "/etc/group", Change: plan.Added},
		{Kind: Unit, Name: "a.service", Change: plan.Modified},
		{Kind: Unit, Name: "run-1.service", Change: plan.Added},
		{Kind: Variable, Name: "net.ipv4.ip_forward", Change: plan.Modified},
		{Kind: Parameter, Name: "quiet", Change: plan.Deleted, Remedy: "a reboot gives it"},
		{Kind: Port, Name: "8080/tcp", Change: plan.Added, Stops: "run-1.service"},
		{Kind: Mount, Name: "/mnt", Path: "/mnt", Change: plan.Added, Stops: "mnt.mount"},
		{Kind: Mount, Name: "/etc/x", Path: "/etc/x", Change: plan.Added, Remedy: "`umount /etc/x`"},
		{Kind: Unit, Name: "b.service", Path: "/run/systemd/system/b.service", Change: plan.Added, Remedy: "`rm`"},
		{Kind: Unit, Name: "c.service", Path: "/run/systemd/system/c.service", Change: plan.Modified},
		{Kind: Unit, Name: "d.service", Path: "/run/systemd/system/a.target.wants/d.service", Change: plan.Modified},
		{Kind: Software, Name: "/usr/local/bin/tool", Path: "/usr/local/bin/tool", Change: plan.Added, Remedy: "`stet state clean`"},
	}
	for name, c := range map[string]struct {
		chosen  string // separated by spaces; "" is all
		want    plan.Restore
		left    string
		unknown string
	}{
		"all": {
			"", plan.Restore{Variables: []string{"net.ipv4.ip_forward"}, Start: []string{"a.service"}, Stop: []string{"mnt.mount", "run-1.service"}, Unmask: []string{"c.service"}, Disable: []string{"d.service"}}, "quiet /etc/x b.service /usr/local/bin/tool", "",
		},
		"a file":             {"/etc/motd", plan.Restore{Keep: []string{"/etc/group", "/etc/new", "/etc/new/a", "/etc/new/b", "/etc/passwd", "/etc/passwd-"}}, "", ""},
		"one of two":         {"/etc/new/a", plan.Restore{Keep: []string{"/etc/group", "/etc/motd", "/etc/new/b", "/etc/passwd", "/etc/passwd-"}}, "", ""},
		"a directory":        {"/etc/new/", plan.Restore{Keep: []string{"/etc/group", "/etc/motd", "/etc/passwd", "/etc/passwd-"}}, "", ""},
		"an account":         {"eve", plan.Restore{Keep: []string{"/etc/motd", "/etc/new", "/etc/new/a", "/etc/new/b"}}, "", ""},
		"a variable":         {"net.ipv4.ip_forward", plan.Restore{Variables: []string{"net.ipv4.ip_forward"}, Keep: []string{"/etc/group", "/etc/motd", "/etc/new", "/etc/new/a", "/etc/new/b", "/etc/passwd", "/etc/passwd-"}}, "", ""},
		"what is not":        {"/etc/mot /etc/n", plan.Restore{Keep: []string{"/etc/group", "/etc/motd", "/etc/new", "/etc/new/a", "/etc/new/b", "/etc/passwd", "/etc/passwd-"}}, "", "/etc/mot /etc/n"},
		"a parameter":        {"quiet /etc", plan.Restore{}, "quiet /etc/x", ""},
		"a unit that ran":    {"run-1.service /etc", plan.Restore{Stop: []string{"run-1.service"}}, "/etc/x", ""},
		"a port and a mount": {"8080/tcp /mnt run-1.service /etc/", plan.Restore{Stop: []string{"mnt.mount", "run-1.service"}}, "/etc/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			chosen := func(Finding) bool { return true }
			var unknown []string
			if c.chosen != "" {
				chosen, unknown = Named(strings.Fields(c.chosen), found)
			}
			have, left := Undo(found, chosen, drifted)
			if diff := cmp.Diff(&c.want, have); diff != "" {
				t.Error(diff)
			}
			var names []string
			for _, f := range left {
				names = append(names, f.Name)
			}
			if have := strings.Join(names, " "); have != c.left {
				t.Errorf("left is %q, want %q", have, c.left)
			}
			if have := strings.Join(unknown, " "); have != c.unknown {
				t.Errorf("unknown is %q, want %q", have, c.unknown)
			}
		})
	}
}
