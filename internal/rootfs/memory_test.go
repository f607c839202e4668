package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/layout"
	"stet/internal/tree"
)

func TestWhatChangesIsInMemoryUntilItIsHarvested(t *testing.T) {
	s := openStore(t)
	before := pkg(t, s, stanza("a"), "/data/a =one").Files
	inMemory := memoryDir
	if !HasMemory() {
		inMemory = s.Dir()
	}
	laidOut := inMemory
	if redirects, err := layout.FollowsRedirects(t.TempDir()); err != nil || !redirects {
		laidOut = s.Dir()
	}
	for _, c := range []struct {
		provider Provider
		memory   bool
		want     string
	}{
		{Overlay{}, true, inMemory},
		{Overlay{}, false, s.Dir()},
		{Overlay{OnDisk: true}, true, s.Dir()},
		{LaidOut{}, true, laidOut},
		{LaidOut{}, false, s.Dir()},
		{LaidOut{Copies: true}, true, s.Dir()},
		{LaidOut{Shuffle: 1}, true, laidOut},
	} {
		provided, err := c.provider.Provide(s, before, c.memory)
		if err != nil {
			t.Fatal(err)
		}
		changes := provided.(*layered).changes()
		if !strings.HasPrefix(changes, c.want+"/") {
			t.Errorf("%#v, %t: changes are in %s, want %s", c.provider, c.memory, changes, c.want)
		}
		if err := provided.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(changes); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", changes, err)
		}
	}
}

func TestWhatIsTooMuchForMemoryIsDoneOnTheDisk(t *testing.T) {
	s := openStore(t)
	before := pkg(t, s, stanza("a"), "/data/a =one").Files
	b := &Builder{Store: s, Provider: Overlay{}}
	var tried []bool
	after, err := b.inRoot(before, func(_ Provided, r room) (*tree.Tree, error) {
		tried = append(tried, r.memory)
		if r.memory {
			return nil, &ScriptError{Step: "postinst", Err: errMemory}
		}
		return before, nil
	})
	if err != nil || after != before || tried[len(tried)-1] || len(tried) == 2 != HasMemory() {
		t.Errorf("tried in memory: %v; %v", tried, err)
	}
	failed := errors.New("it failed")
	if _, err := b.inRoot(before, func(Provided, room) (*tree.Tree, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("a failure becomes %v", err)
	}
}

func TestRoomInMemory(t *testing.T) {
	dir := t.TempDir()
	r, err := newRoom(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.check(1, 1); err != nil {
		t.Errorf("nothing is written, and %v", err)
	}
	more := r
	more.free += memoryMost + 1<<20
	if err := more.check(1, 1); !errors.Is(err, errMemory) {
		t.Errorf("more than memory may have is written, and %v", err)
	}
	if err := r.check(r.free*2, 1); !errors.Is(err, errMemory) {
		t.Errorf("somebody else filled it, and %v", err)
	}
	r.memory = false
	if err := r.check(r.free*2, 1); err == nil || errors.Is(err, errMemory) {
		t.Errorf("the disk is full, and %v", err)
	}
}

func TestOnlyWhatNobodyHoldsIsSwept(t *testing.T) {
	made := func() string {
		dir, err := os.MkdirTemp(memoryDir, memoryPrefix)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	held, left := &inMemory{dir: made()}, made()
	defer os.RemoveAll(left)
	defer held.Close()
	var err error
	if held.held, err = hold(held.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	is := func(dir string) bool { _, err := os.Stat(dir); return err == nil }
	sweepMemory(time.Now())
	if !is(left) {
		t.Error("a new one was swept")
	}
	sweepMemory(time.Now().Add(2 * time.Minute))
	if is(left) || !is(held.dir) {
		t.Errorf("one that nobody holds is there: %t; one that is held: %t", is(left), is(held.dir))
	}
}
