package unit

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func listeningAt(l *Loader, port string) ([]Need, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	return l.Listening(uint16(n))
}

func TestWhoHasToDoWithSomething(t *testing.T) {
	files := texts{
		lib + "web.service":                           "[Unit]\nWants=net.target\n[Service]\nUser=root\nUser=www\nExecStart=!-/usr/sbin/web -c /etc/web.conf\n",
		lib + "web.socket":                            "[Socket]\nListenStream=80\n",
		lib + "ssh.socket":                            "[Socket]\nListenStream=0.0.0.0:22\nListenStream=[::]:22\n",
		lib + "shop.service":                          "[Unit]\nRequires=web.service\nWants=web.service\n[Service]\nEnvironment=\"CONFIG=/etc/web.conf.d\"\nBindPaths=/etc/web.conf:/x\n",
		lib + "late.service":                          "[Unit]\nAfter=web.service\n[Service]\nExecStart=/opt/usr/sbin/web\n",
		lib + "net.target":                            "",
		lib + "multi-user.target":                     "[Unit]\n",
		etc + "multi-user.target.wants/web.service":   "->" + lib + "web.service",
		lib + "getty@.service":                        "[Service]\nUser=%i\n",
		lib + "getty.target":                          "[Unit]\n",
		etc + "getty.target.wants/getty@tty1.service": "->" + lib + "getty@.service",
		etc + "site.service":                          "->" + lib + "web.service",
		lib + "old.service":                           "[Unit]\nBindsTo=site.service\n",
		etc + "off.service":                           "->/dev/null",
		lib + "off.service":                           "[Unit]\nRequires=web.service\n",
	}
	for _, c := range []struct {
		ask  func(*Loader, string) ([]Need, error)
		of   string
		want string
	}{
		{(*Loader).Needing, "web.service", "multi-user.target Wants, old.service BindsTo, shop.service Requires"},
		{(*Loader).Needing, "site.service", "multi-user.target Wants, old.service BindsTo, shop.service Requires"},
		{(*Loader).Needing, "net.target", "web.service Wants"},
		{(*Loader).Needing, "getty@tty1.service", "getty.target Wants"},
		{(*Loader).Needing, "getty@.service", "getty.target Wants"},
		{(*Loader).Needing, "none.service", ""},
		{(*Loader).RunAs, "www", "web.service User"},
		{(*Loader).RunAs, "root", ""},
		{listeningAt, "80", "web.socket ListenStream"},
		{listeningAt, "22", "ssh.socket ListenStream"},
		{listeningAt, "8080", ""},
		{(*Loader).Naming, "/etc/web.conf", "shop.service BindPaths, web.service ExecStart"},
		{(*Loader).Naming, "/usr/sbin/web", "web.service ExecStart"},
		{(*Loader).Naming, "/etc/web", ""},
	} {
		found, err := c.ask(NewLoader(files, SystemPath()), c.of)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, n := range found {
			have = append(have, fmt.Sprintf("%s %s", n.Unit, n.Key))
		}
		if strings.Join(have, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.of, have, c.want)
		}
	}
}
