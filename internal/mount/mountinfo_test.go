package mount

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountinfoIsRead(t *testing.T) {
	const text = `22 1 0:21 / / rw,nosuid,nodev shared:1 - tmpfs tmpfs rw,mode=755
31 22 0:30 / /usr ro,nodev shared:7 master:3 propagate_from:2 - overlay stet:usr:abc ro,metacopy=on
40 22 254:0 /state/my\040home /home\134x rw - ext4 /dev/vda rw
`
	all, err := ParseInfo(text)
	check(t, err)
	want := []Info{
		{ID: 22, Parent: 1, Device: "0:21", Root: "/", Point: "/", Options: "rw,nosuid,nodev", Shared: 1, Type: "tmpfs", Source: "tmpfs"},
		{ID: 31, Parent: 22, Device: "0:30", Root: "/", Point: "/usr", Options: "ro,nodev", Shared: 7, Master: 3, Type: "overlay", Source: "stet:usr:abc"},
		{ID: 40, Parent: 22, Device: "254:0", Root: "/state/my home", Point: `/home\x`, Options: "rw", Type: "ext4", Source: "/dev/vda"},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	if usr, ok := On(all, "/usr"); !ok || !usr.ReadOnly() {
		t.Errorf("/usr: %v %+v", ok, usr)
	}
	if _, ok := On(all, "/etc"); ok {
		t.Error("something is mounted at /etc")
	}
}

func TestOfTwoMountsTheUpperOneIsOn(t *testing.T) {
	base := t.TempDir()
	check(t, Tmpfs(base, 0, "mode=0700"))
	t.Cleanup(func() { check(t, Detach(base)); check(t, Detach(base)) })
	check(t, New("ramfs", base, 0, ""))
	all, err := ParseInfo(read(t, "/proc/self/mountinfo"))
	check(t, err)
	if top, ok := On(all, base); !ok || top.Type != "ramfs" {
		t.Errorf("on %s: %+v", base, top)
	}
}

func FuzzParseInfo(f *testing.F) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`1 2 0:1 \0 \777 rw master:x - a b`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseInfo(text)
		if err == nil {
			On(all, "/usr")
		}
	})
}

func TestABeneathMoveTakesWhatIsMountedOnIt(t *testing.T) {
	base := t.TempDir()
	check(t, Tmpfs(base, 0, "mode=0700")) // the parent must not be the namespace's root mount
	t.Cleanup(func() { check(t, Detach(base)) })
	check(t, MakePrivate(base))
	usr, stage := filepath.Join(base, "usr"), filepath.Join(base, "stage")
	mkdir(t, usr, stage)
	check(t, Tmpfs(usr, 0, "")) // the old one
	mkdir(t, filepath.Join(usr, "modules"))
	check(t, Tmpfs(filepath.Join(usr, "modules"), 0, ""))
	write(t, filepath.Join(usr, "modules", "old"), "old")

	check(t, Tmpfs(stage, 0, "mode=0700"))
	check(t, MakePrivate(stage))
	next := filepath.Join(stage, "usr")
	mkdir(t, next)
	check(t, Tmpfs(next, 0, ""))
	mkdir(t, filepath.Join(next, "modules"))
	check(t, Tmpfs(filepath.Join(next, "modules"), 0, ""))
	write(t, filepath.Join(next, "modules", "new"), "new")

	check(t, Swap(next, usr))
	wantContent(t, filepath.Join(usr, "modules", "new"), "new")
	if names, err := os.ReadDir(next); err != nil || len(names) != 0 {
		t.Errorf("what was staged is still there: %v, %v", names, err)
	}
	all, err := ParseInfo(read(t, "/proc/self/mountinfo"))
	check(t, err)
	for _, point := range []string{usr, filepath.Join(usr, "modules")} {
		if n := countAt(all, point); n != 1 {
			t.Errorf("%d mounts at %s, want 1", n, point)
		}
	}
}

func countAt(all []Info, point string) (n int) {
	for _, i := range all {
		if i.Point == point {
			n++
		}
	}
	return n
}
