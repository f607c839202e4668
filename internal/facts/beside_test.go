package facts

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"stet/internal/plan"
)

func TestWhatIsBelowAPathIsDescribed(t *testing.T) {
	p := newProc(t)
	m := Machine{Root: p.root}
	at := filepath.Join(p.root, "var/usrlocal/tool")
	p.write("var/usrlocal/tool/bin/run", "x")
	must(t, os.Symlink("bin/run", filepath.Join(at, "link")))
	must(t, unix.Mkfifo(filepath.Join(at, "pipe"), 0o600))
	must(t, os.Mkdir(filepath.Join(p.root, "usr"), 0o755))
	must(t, os.Symlink("../var/usrlocal", filepath.Join(p.root, "usr/local")))
	all, err := m.Below("/usr/local/tool", 10)
	must(t, err)
	var have []string
	for _, d := range all {
		if d.Change != plan.Added {
			t.Errorf("%+v", d)
		}
		have = append(have, d.Type+" "+d.Path+d.Target)
	}
	want := []string{"directory /usr/local/tool", "directory /usr/local/tool/bin", "file /usr/local/tool/bin/run", "symlink /usr/local/tool/linkbin/run", "other /usr/local/tool/pipe"}
	if !slices.Equal(have, want) {
		t.Errorf("have %q", have)
	}
	if all, err := m.Below("/usr/local/tool", 2); err != nil || len(all) != 3 {
		t.Errorf("%d of more than 2, %v", len(all), err)
	}
	if all, err := m.Below("/usr/local/gone", 2); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestADeviceHasANameThatLasts(t *testing.T) {
	p := newProc(t)
	m := Machine{Root: p.root}
	p.write("dev/vdb1", "")
	p.write("dev/vdc1", "")
	p.write("dev/loop0", "")
	for _, dir := range []string{"by-uuid", "by-partuuid"} {
		must(t, os.MkdirAll(filepath.Join(p.root, "dev/disk", dir), 0o755))
	}
	for name, to := range map[string]string{"by-uuid/1234": "vdb1", "by-partuuid/a-1": "vdb1", "by-partuuid/a-2": "vdc1", "by-uuid/5678": "loop0", "by-uuid/stale": "gone"} {
		must(t, os.Symlink("../../"+to, filepath.Join(p.root, "dev/disk", name)))
	}
	for device, want := range map[string]string{"/dev/vdb1": "UUID=1234", "/dev/vdc1": "PARTUUID=a-2", "/dev/loop0": "", "/dev/none": ""} {
		if have := m.Lasting(device); have != want {
			t.Errorf("%s: %q, want %q", device, have, want)
		}
	}
}

func TestTheSizeOfAFileSystemInMemory(t *testing.T) {
	p := newProc(t)
	m := Machine{Root: p.root}
	at := filepath.Join(p.root, "mnt")
	must(t, os.Mkdir(at, 0o755))
	must(t, unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m,mode=1770"))
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	for total, want := range map[string]string{"4096": "1024k", "2048": "", "2051": "", "": "1024k"} {
		if total != "" {
			p.write("proc/meminfo", "MemTotal:        "+total+" kB\nMemFree: 1 kB\n")
		} else {
			os.Remove(filepath.Join(p.root, "proc/meminfo"))
		}
		if size, mode, err := m.Memory("/mnt"); err != nil || size != want || mode != 0o1770 {
			t.Errorf("of %s: %q, %o, %v", total, size, mode, err)
		}
	}
	if _, _, err := m.Memory("/none"); err == nil {
		t.Error("what is not there has a size")
	}
}

func TestNoLinkChoosesWhatIsRead(t *testing.T) {
	p := newProc(t)
	m := Machine{Root: p.root}
	p.write("etc/shadow", "secret")
	p.write("etc/motd", "hello")
	p.write("var/usrlocal/bin/tool", "tool")
	at := func(name string) string { return filepath.Join(p.root, name) }
	must(t, os.MkdirAll(at("usr"), 0o755))
	must(t, os.Symlink("../var/usrlocal", at("usr/local")))
	must(t, os.Symlink("../../../etc/shadow", at("var/usrlocal/bin/link")))
	must(t, os.Symlink("../../etc", at("var/usrlocal/etc")))
	must(t, unix.Mkfifo(at("etc/pipe"), 0o644))
	for name, want := range map[string]string{"/etc/motd": "hello", "/usr/local/bin/tool": "tool"} {
		if have, err := m.Read(name); err != nil || string(have) != want {
			t.Errorf("%s: %q, %v", name, have, err)
		}
	}
	for _, name := range []string{"/usr/local/bin/link", "/usr/local/etc/shadow", "/etc/pipe", "/etc/none", "/etc", "/etc/../../x"} {
		if have, err := m.Read(name); err == nil {
			t.Errorf("%s has %q", name, have)
		}
	}
}
