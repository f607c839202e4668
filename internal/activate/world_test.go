package activate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/erofs/go-erofs"
	"golang.org/x/sys/unix"

	"stet/internal/mount"
	"stet/internal/mount/mounttest"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/systemd"
)

// interrupted names the directory of a world, in which a switch is begun.
const interrupted = "STET_TEST_INTERRUPTED"

// TestMain runs the tests in a mount namespace of their own. With interrupted it
// is a switch that a fault point ends.
func TestMain(m *testing.M) {
	if base := os.Getenv(interrupted); base != "" {
		if err := switchInterrupted(base); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	mounttest.MainOfRoot(m)
}

// jobs is a systemd that notes what it is asked.
type jobs struct {
	done   []string
	fail   string // what begins so fails, once
	hook   func(job string)
	failed []string  // units that have failed
	falls  time.Time // when fallen.service is seen to have failed; zero: never
	gone   bool      // fresh.service does not run
	pids   map[string][]int
	types  map[string]string // of services
}

func (j *jobs) job(user, what string) error {
	if user != "" {
		what = user + ": " + what
	}
	j.done = append(j.done, what)
	if j.hook != nil {
		j.hook(what)
	}
	if j.fail != "" && strings.HasPrefix(what, j.fail) {
		j.fail = ""
		return errors.New(what + " failed")
	}
	return nil
}

func (j *jobs) Units(_ context.Context, user string) ([]systemd.Unit, error) {
	var all []systemd.Unit
	if user != "" {
		return nil, nil
	}
	for _, name := range j.failed {
		all = append(all, systemd.Unit{Name: name, Active: "failed"})
	}
	if !j.falls.IsZero() && time.Now().After(j.falls) {
		all = append(all, systemd.Unit{Name: "fallen.service", Active: "failed"})
	}
	if !j.gone {
		all = append(all, systemd.Unit{Name: "fresh.service", Active: "active"})
	}
	return all, nil
}

func (j *jobs) Failed(ctx context.Context, user string) ([]systemd.Unit, error) {
	all, err := j.Units(ctx, user)
	return slices.DeleteFunc(all, func(u systemd.Unit) bool { return u.Active != "failed" }), err
}

func (j *jobs) Do(_ context.Context, user string, verb systemd.Verb, units []string) error {
	return j.job(user, string(verb)+" "+strings.Join(units, " "))
}
func (j *jobs) Types(_ context.Context, _ string, services []string) (map[string]string, error) {
	types := map[string]string{}
	for _, name := range services {
		types[name] = j.types[name]
	}
	return types, nil
}
func (j *jobs) ResetFailed(context.Context, string, []string) error { return nil }
func (j *jobs) Reload(_ context.Context, user string) error         { return j.job(user, "daemon-reload") }
func (j *jobs) Reexec(_ context.Context, user string) error         { return j.job(user, "daemon-reexec") }
func (j *jobs) Processes(_, unit string) ([]int, error)             { return j.pids[unit], nil }
func (j *jobs) Task(_ context.Context, argv []string) error {
	return j.job("", strings.Join(argv, " "))
}
func (j *jobs) Said(_ context.Context, _ string, units []string, _ time.Time) (string, error) {
	return "journal of " + strings.Join(units, " "), nil
}

// A world is a machine in a directory: a root with real mounts of two systems'
// images.
type world struct {
	base     string
	jobs     *jobs
	old, new System
}

func (w *world) machine() Machine {
	return Machine{
		Root: filepath.Join(w.base, "root"), Store: filepath.Join(w.base, "stet"), State: filepath.Join(w.base, "stet/state"),
		Systemd: w.jobs, Now: time.Now,
	}
}

func (w *world) at(name string) string { return filepath.Join(w.base, "root", name) }

const policy = `{"format":1,"persist":["/etc/ssh/ssh_host_*"],"users":{"ada":["password"]}}`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{base: t.TempDir(), jobs: &jobs{}}
	for _, dir := range []string{"root", "stet/objects", "stet/images", "stet/state/etc/1/upper", "stet/state/etc/1/work", "stet/state/var"} {
		must(t, os.MkdirAll(filepath.Join(w.base, dir), 0o755))
	}
	root := filepath.Join(w.base, "root")
	must(t, mount.Tmpfs(root, 0, "mode=0755"))
	t.Cleanup(func() { unix.Unmount(root, unix.MNT_DETACH) })
	must(t, mount.MakePrivate(root))
	must(t, unix.Mount("", root, "", unix.MS_SHARED, "")) // as systemd has it
	for _, dir := range []string{"usr", "etc", "var", "run/stet"} {
		must(t, os.MkdirAll(w.at(dir), 0o755))
	}
	must(t, mount.Bind(filepath.Join(w.base, "stet/state/var"), w.at("var")))
	w.old = w.system(t, "old", map[string]string{
		"/shadow": "ada:!:1:0:9:7:::\n", "/motd": "old", "/only-old": "x", "/ssh/sshd_config": "old",
	})
	w.new = w.system(t, "new", map[string]string{
		"/shadow": "ada:!:1:0:9:7:::\neve:!:1:0:9:7:::\n", "/motd": "new", "/ssh/sshd_config": "new",
	})
	usr, err := w.machine().usr(w.old.Images["usr"], w.old.Images["modules"]).Mount()
	must(t, err)
	must(t, usr.Attach(w.at("usr")))
	must(t, usr.Close())
	c := w.machine().composefs("etc", w.old.Images["etc"])
	upper := w.machine().upperOf(1)
	c.Upper, c.Work = upper.Upper(), upper.Work()
	m, err := c.Mount()
	must(t, err)
	must(t, m.Attach(w.at("etc")))
	must(t, m.Close())
	boot := state.Boot{Machine: "hello", System: w.old.Digest, Images: w.old.Images, Upper: 1, InitrdUsec: 7}
	must(t, os.WriteFile(w.at(state.BootFile), boot.Bytes(), 0o644))

	// What the machine has of its own.
	must(t, os.WriteFile(w.at("etc/machine-id"), []byte("0123456789abcdef0123456789abcdef\n"), 0o444))
	must(t, os.WriteFile(w.at("etc/ssh/ssh_host_key"), []byte("key"), 0o600))
	must(t, os.WriteFile(w.at("etc/shadow"), []byte("ada:hash:2:0:9:7:::\n"), 0o640))
	must(t, os.WriteFile(w.at("etc/motd"), []byte("drift"), 0o644))
	return w
}

func (w *world) system(t *testing.T, name string, etc map[string]string) System {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	digest := hex.EncodeToString(sum[:])
	return System{
		Digest: digest,
		Trees:  map[string]string{"usr": "usr-" + name, "etc": "etc-" + name, "modules": "modules-" + name, "var": "var-" + name},
		Images: map[string]string{
			"usr":     w.image(t, map[string]string{"/bin/page": name, "/lib/modules/": "", "/" + state.PolicyFile: policy}),
			"etc":     w.image(t, etc),
			"modules": w.image(t, map[string]string{"/lib/modules/6.12/modules.dep": name}),
			"var":     w.image(t, map[string]string{"/var/seed": name}),
		},
	}
}

// image adds a composefs image with the given files, and their contents to the
// objects. A name that ends in a slash is a directory.
func (w *world) image(t *testing.T, files map[string]string) string {
	t.Helper()
	out, err := os.CreateTemp(filepath.Join(w.base, "stet/images"), "new")
	must(t, err)
	defer out.Close()
	e := erofs.Create(out)
	must(t, e.Mkdir("/", 0o755))
	made := map[string]bool{"/": true}
	var directory func(string)
	directory = func(name string) {
		if !made[name] {
			directory(filepath.Dir(name))
			must(t, e.Mkdir(name, 0o755))
			made[name] = true
		}
	}
	for name, content := range files {
		if strings.HasSuffix(name, "/") {
			directory(filepath.Clean(name))
			continue
		}
		directory(filepath.Dir(name))
		sum := sha256.Sum256([]byte(content))
		object := "/" + hex.EncodeToString(sum[:1]) + "/" + hex.EncodeToString(sum[1:])
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(w.base, "stet/objects", object)), 0o755))
		must(t, os.WriteFile(filepath.Join(w.base, "stet/objects", object), []byte(content), 0o644))
		file, err := e.Create(name)
		must(t, err)
		_, err = file.Write(make([]byte, len(content)))
		must(t, err)
		must(t, file.Close())
		must(t, e.Setxattr(name, "trusted.overlay.metacopy", ""))
		must(t, e.Setxattr(name, "trusted.overlay.redirect", object))
	}
	must(t, e.Close())
	text, err := os.ReadFile(out.Name())
	must(t, err)
	sum := sha256.Sum256(text)
	name := hex.EncodeToString(sum[:])
	must(t, os.Rename(out.Name(), filepath.Join(w.base, "stet/images", name)))
	return name
}

// plan is one in which all happens.
func (w *world) plan() *plan.Plan {
	p := &plan.Plan{Format: plan.Format, Machine: "hello", Old: w.old.Digest, New: w.new.Digest, Kind: plan.Live}
	for _, name := range []string{"etc", "modules", "usr", "var"} {
		p.Trees = append(p.Trees, plan.Tree{Name: name, Old: w.old.Trees[name], New: w.new.Trees[name], Live: true})
	}
	unit := func(name, user string, action plan.Action) {
		p.Units = append(p.Units, plan.Unit{UnitName: plan.UnitName{Name: name, User: user}, Action: action})
	}
	unit("first.socket", "", plan.StopStart)
	unit("first.service", "", plan.StopStart)
	unit("gone.service", "", plan.Stop)
	unit("web.service", "", plan.Restart)
	unit("told.service", "", plan.Reload)
	unit("hers.service", "ada", plan.Restart)
	unit("fresh.service", "", plan.Start)
	unit("dbus.service", "", plan.Keep)
	p.Managers = []plan.Manager{{Action: plan.ManagerReexec}, {User: "ada", Action: plan.ManagerReload}}
	p.Tasks = []plan.Task{{Run: []string{"udevadm", "control", "--reload"}, Why: "rules"}}
	return p
}

func (w *world) change() error {
	_, err := w.machine().Switch(context.Background(), w.plan(), w.old, w.new, false)
	return err
}

// looks says how a machine looks: contents of some files, and what is mounted.
func (w *world) looks(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"usr/bin/page", "usr/lib/modules/6.12/modules.dep", "etc/motd", "etc/only-old", "etc/ssh/sshd_config", "etc/ssh/ssh_host_key", "etc/machine-id", "etc/shadow", "var/seed"} {
		if text, err := os.ReadFile(w.at(name)); err == nil {
			all[name] = string(text)
		}
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	mounts, err := mount.ParseInfo(string(text))
	must(t, err)
	var points []string
	for _, m := range mounts {
		if below, ok := strings.CutPrefix(m.Point, w.at("")+"/"); ok {
			points = append(points, below)
		}
	}
	slices.Sort(points)
	all["mounts"] = strings.Join(points, " ")
	boot, err := w.machine().readBoot()
	must(t, err)
	all["runs"] = boot.System
	all["upper"] = fmt.Sprint(boot.Upper)
	uppers, err := state.Uppers(filepath.Join(w.base, "stet/state/etc"))
	must(t, err)
	all["newest upper"] = fmt.Sprint(uppers[len(uppers)-1].Number)
	for _, name := range []string{recordFile, stageDir} {
		if _, err := os.Stat(w.machine().run(name)); err == nil {
			all["left"] += name
		}
	}
	return all
}

func (w *world) looksOld(t *testing.T) map[string]string {
	return map[string]string{
		"usr/bin/page": "old", "usr/lib/modules/6.12/modules.dep": "old", "etc/motd": "drift", "etc/only-old": "x",
		"etc/ssh/sshd_config": "old", "etc/ssh/ssh_host_key": "key", "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
		"etc/shadow": "ada:hash:2:0:9:7:::\n", "mounts": "etc usr var", "runs": w.old.Digest, "upper": "1", "newest upper": "1",
	}
}

func (w *world) looksNew(t *testing.T) map[string]string {
	return map[string]string{
		"usr/bin/page": "new", "usr/lib/modules/6.12/modules.dep": "new", "etc/motd": "new",
		"etc/ssh/sshd_config": "new", "etc/ssh/ssh_host_key": "key", "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
		"etc/shadow": "ada:hash:2:0:9:7:::\neve:!:1:0:9:7:::\n", "var/seed": "new",
		"mounts": "etc usr var", "runs": w.new.Digest, "upper": "2", "newest upper": "2",
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
