package rootfs

import "testing"

func TestCauses(t *testing.T) {
	s := openStore(t)
	c := NewCauses(s, []*Package{
		pkg(t, s, stanza("shipper"), "/etc/shipped.conf =x", "/lib/own/file =x"),
		pkg(t, s, stanza("writer"), "@postinst =#!/bin/sh\n# /etc/commented\ndate > \"$DPKG_ROOT/etc/written.conf\"\n"),
		pkg(t, s, stanza("joiner"), "@postinst =#!/bin/sh\ndir=/var/lib/joined\nfile=$dir/table.db\n"),
		pkg(t, s, stanza("icons"), "@triggers =interest-noawait /usr/share/icons/x\n"),
		pkg(t, s, stanza("nameless"), "@preinst =#!/bin/sh\necho /etc/both\n"),
		pkg(t, s, stanza("both"), "@postinst =#!/bin/sh\necho /etc/both\n"),
		pkg(t, s, stanza("man-db"), "@postinst =#!/bin/sh\nmkdir /var/cache/man\n"),
		pkg(t, s, stanza("base-passwd"), "@preinst =#!/bin/sh\necho man:/var/cache/man\n"),
		pkg(t, s, stanza("longer"), "@postinst =#!/bin/sh\necho /etc/short.conf.d\n"),
	})
	for path, want := range map[string]Cause{
		"/etc/shipped.conf":                   {"shipper", "ships it"},
		"/usr/lib/own/file":                   {"shipper", "ships it"},
		"/usr/lib/own/cache":                  {"shipper", "ships /usr/lib/own"},
		"/etc/written.conf":                   {"writer", "postinst names it"},
		"/etc/commented":                      {},
		"/var/lib/joined/table.db":            {"joiner", "postinst names its parts"},
		"/var/lib/joined/other.db":            {"joiner", "postinst names /var/lib/joined"},
		"/usr/share/icons/x/icon-theme.cache": {"icons", "its trigger /usr/share/icons/x"},
		"/etc/both":                           {"both", "postinst names it"},
		"/var/cache/man/de/index.db":          {"man-db", "postinst names /var/cache/man"},
		"/etc/short.conf":                     {},
		"/var/lib/nobody":                     {},
		"/var/cache/joiner/index":             {"joiner", "has its name"},
		"/var/cache/own/index":                {"shipper", "ships /usr/lib/own"},
	} {
		if have := c.Of(path); have != want {
			t.Errorf("%s: %+v, want %+v", path, have, want)
		}
	}
}
