package debian

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConffiles(t *testing.T) {
	c := &Control{Files: map[string][]byte{"conffiles": []byte("/etc/a\n/etc//b c  \n\nremove-on-upgrade /etc/old\n")}}
	got, err := c.Conffiles()
	if err != nil {
		t.Fatal(err)
	}
	want := []Conffile{{Path: "/etc/a"}, {Path: "/etc/b c"}, {Path: "/etc/old", RemoveOnUpgrade: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := (&Control{}).Conffiles(); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"etc/a", "/etc/../a", "/", "obsolete /etc/a", "remove-on-upgrade etc/a", "/etc/a\n/etc/./a", "/a\x00"} {
		c.Files["conffiles"] = []byte(bad)
		if got, err := c.Conffiles(); err == nil || !strings.HasPrefix(err.Error(), "conffiles line ") {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func TestTriggers(t *testing.T) {
	c := &Control{Files: map[string][]byte{"triggers": []byte("# Triggers\ninterest /usr/share/man # x\ninterest-noawait a\n" +
		"interest-await b\n\nactivate c\nactivate-await d\nactivate-noawait ldconfig\n")}}
	got, err := c.Triggers()
	if err != nil {
		t.Fatal(err)
	}
	want := []Trigger{
		{Name: "/usr/share/man"}, {Name: "a", NoAwait: true}, {Name: "b"},
		{Name: "c", Activate: true}, {Name: "d", Activate: true}, {Name: "ldconfig", Activate: true, NoAwait: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"interest", "interest a b", "wish a", "interest ../a", "interest .", "interest File", "interest ä"} {
		c.Files["triggers"] = []byte("\n" + bad)
		if got, err := c.Triggers(); err == nil || !strings.HasPrefix(err.Error(), "triggers line 2: ") {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func FuzzControlFiles(f *testing.F) {
	f.Add([]byte("/etc/a\nremove-on-upgrade /etc/b\n"))
	f.Add([]byte("interest /usr/share/man\nactivate-noawait ldconfig # x\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		c := &Control{Files: map[string][]byte{"conffiles": content, "triggers": content}}
		conffiles, err := c.Conffiles()
		for _, conffile := range conffiles {
			if err != nil || conffile.Path[0] != '/' || strings.Contains(conffile.Path, "/../") {
				t.Errorf("%+v, %v", conffile, err)
			}
		}
		triggers, err := c.Triggers()
		for _, trigger := range triggers {
			if err != nil || trigger.Name == "" {
				t.Errorf("%+v, %v", trigger, err)
			}
		}
	})
}
