package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"stet/internal/fault"
)

// dyingBoot is set in a process that boots a store and is to die on the way.
const dyingBoot = "STET_TEST_DYING_BOOT"

// dying says which store a process boots.
type dying struct {
	Store, Root string
	Images      map[string]string
}

// bootAndDie boots the store in another process, which dies at a point.
func (s testStore) bootAndDie(t *testing.T, images map[string]string, at fault.Point) {
	t.Helper()
	root := t.TempDir()
	defer unix.Unmount(root, unix.MNT_DETACH)
	what, err := json.Marshal(dying{s.directory, root, images})
	must(t, err)
	again := exec.Command("/proc/self/exe", "-test.run=^TestABootThatDiesLosesNothing$")
	again.Env = append(os.Environ(), dyingBoot+"="+string(what), "STET_FAULT="+string(at))
	out, err := again.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s: it ended with %v, want a kill\n%s", at, err, out)
	}
}

func TestABootThatDiesLosesNothing(t *testing.T) {
	if text := os.Getenv(dyingBoot); text != "" {
		var d dying
		must(t, json.Unmarshal([]byte(text), &d))
		testStore{d.Store}.bootAt(t, d.Root, d.Images, func(string) {})
		return
	}
	for _, at := range []fault.Point{fault.UpperBegun, fault.UpperFinished, fault.StateApplied} {
		t.Run(string(at), func(t *testing.T) {
			s := newTestStore(t)
			usr := s.image(t, map[string]string{"/lib/stet/state.json": `{"format":1,"persist":["/etc/keep"]}`})
			old := map[string]string{
				"usr": usr, "etc": s.image(t, map[string]string{"/motd": "old"}),
				"var": s.image(t, map[string]string{"/var/seed": "old", "/var/mine": "old", "/home/": ""}),
			}
			next := map[string]string{
				"usr": usr, "etc": s.image(t, map[string]string{"/motd": "new"}),
				"var": s.image(t, map[string]string{"/var/seed": "new", "/var/mine": "new", "/var/more": "new", "/var/owned": "-> /usr/lib/stet/files/x", "/home/": ""}),
			}

			// The very first boot dies; the second one is the first of a machine.
			s.bootAndDie(t, old, at)
			var id string
			s.boot(t, old, func(root string) {
				id = read(t, filepath.Join(root, "etc/machine-id"))
				must(t, os.WriteFile(filepath.Join(root, "etc/keep"), []byte("kept"), 0o644))
				must(t, os.WriteFile(filepath.Join(root, "var/mine"), []byte("mine"), 0o644))
				must(t, os.WriteFile(filepath.Join(root, "var/owned"), []byte("in the way"), 0o644))
			})

			// The first boot of the next generation dies, and goes back or on.
			s.bootAndDie(t, next, at)
			for _, images := range []map[string]string{old, next} {
				want := map[string]string{"etc/machine-id": id, "etc/keep": "kept", "var/mine": "mine", "etc/motd": "new", "var/seed": "new", "var/more": "new"}
				if images["etc"] == old["etc"] {
					want["etc/motd"], want["var/seed"] = "old", "old"
					delete(want, "var/more")
				}
				got := map[string]string{}
				m := s.boot(t, images, func(root string) {
					for name := range want {
						got[name] = read(t, filepath.Join(root, name))
					}
				})
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if m.upper == 0 {
					t.Errorf("/etc is in memory: %q", m.problems)
				}
			}
			var left []string
			must(t, filepath.WalkDir(filepath.Join(s.directory, "state"), func(path string, _ os.DirEntry, err error) error {
				if strings.Contains(path, ".stet-new.") || strings.HasSuffix(path, ".partial") {
					left = append(left, path)
				}
				return err
			}))
			if len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			saved, err := filepath.Glob(filepath.Join(s.directory, "state/saved/*/var/owned"))
			must(t, err)
			if len(saved) != 1 || read(t, saved[0]) != "in the way" {
				t.Errorf("what was in the way is in %q", saved)
			}
		})
	}
}
