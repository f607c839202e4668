package build

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
)

// TestInstalledTellsWhereThingsComeFrom reads a little system.
func TestInstalledTellsWhereThingsComeFrom(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	made := func(files map[string]string) string {
		b := tree.NewBuilder()
		b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
		for name, text := range files {
			d, err := s.PutBytes([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			b.MakeParents(name, tree.Time{})
			b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Size: int64(len(text)), Digest: d})
		}
		made, err := b.Tree()
		if err != nil {
			t.Fatal(err)
		}
		digest, err := s.PutTree(made)
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	status := ""
	for _, p := range []string{
		"libc6||Priority: optional", "curl|libc6, libcurl4t64|", "libcurl4t64|libc6|", "base-passwd||Essential: yes\nPriority: required",
		"mail-server|exim4-daemon-light | mail-transport-agent|", "postfix||Provides: mail-transport-agent", "bird||",
		"libssl3t64|libc6|Provides: libssl3 (= 3.5), libssl3t64-x", "wget|libssl3t64|",
	} {
		fields := strings.Split(p, "|")
		depends := strings.Join(fields[1:len(fields)-1], "|")
		status += fmt.Sprintf("Package: %s\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: a\n", fields[0])
		if depends != "" {
			status += "Depends: " + depends + "\n"
		}
		if last := fields[len(fields)-1]; last != "" {
			status += last + "\n"
		}
		status += "\n"
	}
	manifest := system.Manifest{Format: system.ManifestFormat, Machine: "a", Trees: map[string]string{
		"usr": made(map[string]string{
			databasePlace + "/status":                status,
			databasePlace + "/info/libc6:amd64.list": "/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n",
			databasePlace + "/info/curl.list":        "/.\n/usr\n/usr/bin\n/usr/bin/curl\n",
			databasePlace + "/info/bird.list":        "/.\n/usr/lib/sysusers.d/bird.conf\n/usr/lib/sysctl.d/10-bird.conf\n",
			"/lib/sysctl.d/10-bird.conf":             "# vm.swappiness=1\nnet.ipv4.ip_forward = 1\n-net/ipv6/conf=1\n",
			databasePlace + "/info/postfix.postinst": "#!/bin/sh\nadduser --system --quiet postfix\n",
			"/lib/systemd/system/bird.service":       "[Service]\n",
			"/lib/sysusers.d/bird.conf":              "#Type Name\nu! bird - \"BIRD\"\n",
		}),
		"etc": made(map[string]string{"/systemd/system/own.service": "", "/passwd": "root:x:0:0::/root:/bin/bash\nbird:x:990:990::/:/usr/sbin/nologin\npostfix:x:101:101::/:/bin/false\n"}),
	}}
	text, err := manifest.Text()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.PutSystem(text)
	if err != nil {
		t.Fatal(err)
	}
	i, err := ReadInstalled(s, digest)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/usr/bin/curl": "curl", "/bin/curl": "curl", "/usr/lib/x86_64-linux-gnu/libc.so.6": "libc6", "/lib/x86_64-linux-gnu/libc.so.6": "libc6", "/usr/bin/wget": "",
	} {
		owners, err := i.Owners(name)
		if err != nil || strings.Join(owners, " ") != want {
			t.Errorf("%s is of %q, %v; want %q", name, owners, err, want)
		}
	}
	several, err := i.OwnersOf([]string{"/usr/bin/curl", "/bin/curl", "/usr", "/etc/none", "/lib"})
	want := map[string][]string{"/usr/bin/curl": {"curl"}, "/bin/curl": {"curl"}, "/usr": {"curl"}, "/lib": {"libc6"}}
	if diff := cmp.Diff(want, several); err != nil || diff != "" {
		t.Errorf("several: %v\n%s", err, diff)
	}
	for name, want := range map[string]string{"bird": "bird", "postfix": "postfix", "root": "base-passwd"} {
		makers, err := i.AccountMakers(name)
		if err != nil || !i.HasAccount(name) || strings.Join(makers, " ") != want {
			t.Errorf("%s is made by %q, %v; want %q", name, makers, err, want)
		}
	}
	if i.HasAccount("bir") || i.HasGroup("bird") || i.Has("lynx") || !i.Has("curl") {
		t.Error("it has what it has not")
	}
	for _, c := range []struct{ to, wanted, chain string }{
		{"libc6", "curl", "curl libc6"}, {"postfix", "mail-server", "mail-server postfix"}, {"curl", "curl", "curl"}, {"bird", "curl", ""},
	} {
		got := i.Chain(c.to, func(name string) bool { return name == c.wanted })
		if strings.Join(got, " ") != c.chain {
			t.Errorf("%s comes by %q, want %q", c.to, got, c.chain)
		}
	}
	for name, want := range map[string]string{"libc6": "curl libcurl4t64 libssl3t64", "postfix": "mail-server", "libssl3t64": "wget", "wget": "", "none": ""} {
		if got := i.Needing(name); strings.Join(got, " ") != want {
			t.Errorf("%s is needed by %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"net.ipv4.ip_forward": "bird", "net.ipv6.conf": "bird", "vm.swappiness": "", "net.ipv4": ""} {
		if got, err := i.VariableSetters(name); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s is set by %q, %v; want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{"libc6": "libc6", "libssl3": "libssl3t64", "mail-transport-agent": "postfix", "none": ""} {
		if got := i.Named(name); strings.Join(got, " ") != want {
			t.Errorf("%s stands for %q, want %q", name, got, want)
		}
	}
	if names := strings.Join(i.Names(), " "); names != "base-passwd bird bird.service curl libc6 libcurl4t64 libssl3t64 mail-server own.service postfix root wget" {
		t.Errorf("it has %s", names)
	}
	if diff := cmp.Diff([]string{"essential", "optional"}, []string{i.Priority("base-passwd"), i.Priority("libc6")}); diff != "" {
		t.Error(diff)
	}
}
