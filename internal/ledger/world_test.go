package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"stet/internal/residue"
	"stet/internal/tree"
	"stet/internal/verity"
)

// world is a store in memory.
type world struct {
	trees   map[string]*tree.Tree
	objects map[verity.Digest][]byte
	reads   int
}

func newWorld() *world {
	return &world{trees: map[string]*tree.Tree{}, objects: map[verity.Digest][]byte{}}
}

func (w *world) ReadTreeText(digest string, _ []byte) ([]byte, error) {
	t, ok := w.trees[digest]
	if !ok {
		return nil, fmt.Errorf("no tree %s", digest)
	}
	var text bytes.Buffer
	err := t.Dump(&text)
	return text.Bytes(), err
}

func (w *world) ReadObject(d verity.Digest) ([]byte, error) {
	w.reads++
	if data, ok := w.objects[d]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("no object %s", d)
}

// system puts a system's trees into the store: files by absolute path. One that ends
// with a slash is a directory, one whose text begins with "-> " a link.
func (w *world) system(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	builders := map[string]*tree.Builder{}
	for _, name := range []string{"usr", "etc", "var"} {
		builders[name] = tree.NewBuilder()
		builders[name].Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	}
	for _, at := range slices.Sorted(maps.Keys(files)) {
		text := files[at]
		b, below := builders["var"], at
		for _, name := range []string{"usr", "etc"} {
			if rest, ok := strings.CutPrefix(at, "/"+name+"/"); ok {
				b, below = builders[name], "/"+rest
			}
		}
		e := tree.Entry{Path: strings.TrimSuffix(below, "/"), Type: tree.Regular, Mode: 0o644}
		target, isLink := strings.CutPrefix(text, "-> ")
		switch {
		case strings.HasSuffix(below, "/"):
			e.Type = tree.Directory
		case isLink:
			e.Type, e.Target = tree.Symlink, target
		case text != "":
			e.Size, e.Digest = int64(len(text)), verity.Sum([]byte(text))
			w.objects[e.Digest] = []byte(text)
		}
		b.MakeParents(e.Path, tree.Time{})
		b.Put(e)
	}
	digests := map[string]string{}
	for name, b := range builders {
		made, err := b.Tree()
		if err != nil {
			t.Fatal(err)
		}
		digests[name] = made.Digest()
		w.trees[made.Digest()] = made
	}
	return digests
}

func (w *world) reader(t *testing.T) *Reader {
	t.Helper()
	table, _, err := residue.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return NewReader(w, table)
}

// ledgerOf is that of a machine that runs the first system, and had the others before,
// as generations 9, 8 and so on.
func ledgerOf(t *testing.T, systems ...map[string]string) *Ledger {
	t.Helper()
	w := newWorld()
	r := w.reader(t)
	var running *Declared
	var others []Other
	for i, files := range systems {
		d, err := r.Read(w.system(t, files))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			running = d
			continue
		}
		others = append(others, Other{10 - i, false, d})
	}
	return New(running, others, map[uint32]string{0: "root", 1000: "ada", 1001: "intruder"})
}

// package files of a dpkg database.
func list(name string) string   { return "/usr/lib/sysimage/dpkg/info/" + name + ".list" }
func postrm(name string) string { return "/usr/lib/sysimage/dpkg/info/" + name + ".postrm" }

// base is what every system of the tests has.
var base = map[string]string{
	list("base-files"):                                   "/.\n/var\n/var/lib\n/var/lib/misc\n/var/log\n/home\n/root\n/usr/local/bin\n",
	list("systemd"):                                      "/usr/lib/tmpfiles.d/systemd.conf\n/usr/lib/systemd/system/systemd-rfkill.service\n/var/lib/systemd\n",
	list("nginx-common:all"):                             "/usr/lib/systemd/system/nginx.service\n/var/lib/nginx\n/var/log/nginx\n/var/www/html\n",
	list("rsyslog"):                                      "/etc/logrotate.d/rsyslog\n",
	"/etc/logrotate.d/rsyslog":                           "# system logs\n/var/log/syslog\n\"/var/log/mail log\" /var/log/cron*.log\n{\n\tpostrotate\n\t\ttouch /var/log/none\n\tendscript\n}\n",
	postrm("nginx-common"):                               "#!/bin/sh\nrm -rf /var/log/nginx /var/lib/nginx /var/cache/nginx\nrm -f /var/lib/dpkg/info/nginx.* \"/var/lib/$x\" /srv/x/${y}\n",
	"/usr/lib/tmpfiles.d/systemd.conf":                   "d /var/lib/systemd/coredump 0755 root root 2w\nd /run/log\nR! /var/tmp/systemd-private-*\n",
	"/usr/lib/systemd/system/systemd-rfkill.service":     "[Service]\nStateDirectory=systemd/rfkill\n",
	"/usr/lib/systemd/system/nginx.service":              "[Service]\nExecStart=/usr/sbin/nginx\n",
	"/etc/passwd":                                        "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\nnews:x:9:9:news:/var/spool/news:/bin/false\n",
	"/home/ada/":                                         "",
	"/root/":                                             "",
	"/srv/www/index.html":                                "-> /usr/lib/stet/files/srv/www/index.html",
	"/var/.updated":                                      "x",
	"/var/lib/shells.state":                              "x",
	"/var/lib/nginx/":                                    "",
	"/etc/systemd/system/hello.service":                  "[Service]\nStateDirectory=hello\nDynamicUser=yes\n",
	"/etc/systemd/system/nginx.service.d/more.conf":      "[Service]\nCacheDirectory=web %i-cache\n",
	"/usr/lib/systemd/system/template@.service":          "[Service]\nStateDirectory=capsules/%i a:b\nLogsDirectory=\n",
	"/usr/lib/systemd/system/multi-user.target.wants/x":  "",
	"/usr/lib/systemd/system/sockets.target.wants/y.txt": "",
}

// with is base with more files, or without those that have no text.
func with(files map[string]string) map[string]string {
	all := maps.Clone(base)
	for name, text := range files {
		if text == "" && !strings.HasSuffix(name, "/") {
			delete(all, name)
		} else {
			all[name] = text
		}
	}
	return all
}
