package plan

import (
	"strings"
	"testing"
)

// Nobody may be locked out; who of several loses an account is not asked about.
func TestAWayInStays(t *testing.T) {
	const passwd, keys = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\n", "/etc/ssh/authorized_keys.d/"
	const locked = "root:*:1::::::\nada:!:1::::::\nbob:!*:1::::::\n"
	open := base().with("/usr/bin/bash", "#!", "/usr/sbin/sshd", "#!", "/etc/passwd", passwd, "/etc/shadow", locked, keys+"ada", "a key", keys+"bob", "a key")
	closed := open.with(keys+"ada", "", keys+"bob", "")
	for _, c := range []struct {
		name      string
		old, next spec
		own       []string
		asked     string // the names in the reason; "": nothing is asked
	}{
		{name: "one of two goes", old: open, next: open.with(keys+"ada", "")},
		{name: "both go", old: open, next: closed, asked: "ada, bob"},
		{name: "both go, and a new one comes, whose key nobody of them may have", old: open, next: closed.with(keys+"root", "a key"), asked: "ada, bob"},
		{name: "what reads the keys goes", old: open, next: open.with("/usr/sbin/sshd", ""), asked: "ada, bob"},
		{name: "the shell goes", old: open, next: open.with("/usr/bin/bash", ""), asked: "ada, bob"},
		{name: "the shells are none", old: open, next: open.with("/etc/passwd", strings.ReplaceAll(passwd, "/bin/bash", "/usr/sbin/nologin")), asked: "ada, bob"},
		{name: "a key is empty", old: open, next: closed.with(keys+"ada", "->/dev/null"), asked: "ada, bob"},
		{name: "a password comes", old: open, next: closed.with("/etc/shadow", strings.Replace(locked, "ada:!", "ada:$y$x", 1))},
		{name: "a password goes", old: closed.with("/etc/shadow", strings.Replace(locked, "ada:!", "ada:$y$x", 1)), next: closed, asked: "ada"},
		{name: "one has a password of their own", old: open, next: closed, own: []string{"bob"}},
		{name: "nobody could before", old: closed, next: closed.with("/etc/motd", "x")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			old, next := w.system(t, c.old), w.system(t, c.next)
			f := w.facts(old)
			f.OwnPasswords = c.own
			var asked []Decision
			for _, d := range w.make(t, old, next, f).Decisions {
				if d.Kind == DecideLogin {
					asked = append(asked, d)
				}
			}
			if c.asked == "" && len(asked) == 0 {
				return
			}
			if len(asked) != 1 || !strings.HasSuffix(asked[0].Why, "afterwards: "+c.asked) {
				t.Errorf("asked is %+v, want %q", asked, c.asked)
			}
		})
	}
}
