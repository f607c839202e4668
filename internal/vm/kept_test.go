package vm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keptPlace gives a place with a state that has an identity, as old as is wanted.
func keptPlace(t *testing.T, identity string, age time.Duration) Place {
	t.Helper()
	p := Place(filepath.Join(t.TempDir(), "place"))
	lock, err := p.reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for _, name := range []string{keptMemory, keptLayer, keptDisk, keptConsole} {
		if err := os.WriteFile(p.file(name), []byte("some "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.seal(t.Context(), record{Format: keptFormat, Identity: identity, Booted: time.Now().Add(-age)}); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOnlyTheSameMachineBeginsInAState(t *testing.T) {
	for name, c := range map[string]struct {
		identity string
		age      time.Duration
		change   func(t *testing.T, p Place)
		want     string // the error; "-" none
	}{
		"the same":             {"a", time.Minute, nil, "-"},
		"nearly too old":       {"a", keptMaxAge - time.Minute, nil, "-"},
		"another":              {"b", time.Minute, nil, errNothingKept.Error()},
		"too old":              {"a", keptMaxAge + time.Minute, nil, errNothingKept.Error()},
		"of a time to come":    {"a", -time.Hour, nil, errNothingKept.Error()},
		"no place":             {"a", 0, func(t *testing.T, p Place) { os.RemoveAll(string(p)) }, errNothingKept.Error()},
		"never finished":       {"a", 0, func(t *testing.T, p Place) { os.Remove(p.file(keptRecord)) }, errNothingKept.Error()},
		"a record of garbage":  {"a", 0, func(t *testing.T, p Place) { os.WriteFile(p.file(keptRecord), []byte("{"), 0o600) }, "record is damaged"},
		"a file is gone":       {"a", 0, func(t *testing.T, p Place) { os.Remove(p.file(keptDisk)) }, keptDisk + ": no such file"},
		"being made by others": {"a", 0, making, "another stet is making one"},
	} {
		t.Run(name, func(t *testing.T) {
			p := keptPlace(t, "a", c.age)
			if c.change != nil {
				c.change(t, p)
			}
			s, err := p.open(c.identity, time.Now())
			if err == nil {
				defer s.Close()
			}
			if got := errorText(err); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return "-"
	}
	return err.Error()
}

// making holds the place as who makes a state does.
func making(t *testing.T, p Place) {
	lock, err := p.reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
}

func TestDamagedStateIsFound(t *testing.T) {
	for _, name := range []string{keptMemory, keptLayer} {
		p := keptPlace(t, "a", 0)
		s, err := p.open("a", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.check(t.Context()); err != nil {
			t.Errorf("a whole one: %v", err)
		}
		if err := os.WriteFile(p.file(name), []byte("another"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.check(t.Context()); err == nil || !strings.Contains(err.Error(), name+" is damaged") {
			t.Errorf("another %s: %v", name, err)
		}
		s.Close()
	}
}

func TestAStateStaysWhileItIsUsed(t *testing.T) {
	p := keptPlace(t, "a", 0)
	s, err := p.open("a", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.reserve(); !errors.Is(err, errInUse) {
		t.Errorf("another one can be made: %v", err)
	}
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
	other, err := p.open("a", time.Now())
	if err != nil {
		t.Fatalf("a second VM cannot begin in it: %v", err)
	}
	other.Close()
	s.Close()
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(string(p)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestIdentityIsOfAllThatDecides(t *testing.T) {
	config := func() Config {
		return Config{
			Name: "a", Kernel: "kernel", Initrd: "initrd", CommandLine: "quiet", Memory: 1024, CPUs: 2,
			Agent: []byte("agent"), Accelerator: &Accelerator{}, DiskSerial: "stet-store",
		}
	}
	identity := func(c Config, system string) string {
		t.Helper()
		text, err := identify(t.Context(), c, system)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	seen := map[string]string{}
	for name, change := range map[string]func(*Config){
		"nothing":          func(*Config) {},
		"its name":         func(c *Config) { c.Name = "b" },
		"the kernel":       func(c *Config) { c.Kernel = "another" },
		"the initrd":       func(c *Config) { c.Initrd = "another" },
		"the command line": func(c *Config) { c.CommandLine = "" },
		"the memory":       func(c *Config) { c.Memory = 512 },
		"the processors":   func(c *Config) { c.CPUs = 1 },
		"the agent":        func(c *Config) { c.Agent = nil },
		"the accelerator":  func(c *Config) { c.Accelerator = &Accelerator{KVM: true} },
	} {
		c := config()
		change(&c)
		got := identity(c, "system")
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s are one to it", name, other)
		}
		seen[got] = name
	}
	if other := identity(config(), "another"); seen[other] != "" {
		t.Errorf("another system is %s to it", seen[other])
	}
	forwarded := config()
	forwarded.Forwards, forwarded.Disk = []Forward{{GuestPort: 80}}, "a name of the disk"
	if seen[identity(forwarded, "system")] != "nothing" {
		t.Error("it depends on forwards, or on the name of the disk")
	}
}

// TestAStateGoesOnOnlyOverItsDisk has a disk whose files are elsewhere.
func TestAStateGoesOnOnlyOverItsDisk(t *testing.T) {
	p, base := keptPlace(t, "a", 0), &givenDisk{Reader: bytes.NewReader(nil)}
	b := Booted{Place: p, Base: func(_ context.Context, dir string) (Base, error) {
		if dir != p.file(keptDisk) {
			t.Errorf("the disk is made of %q", dir)
		}
		return base, nil
	}}
	_, _, err := b.resume(t.Context(), Config{}, "a")
	if !isOfState(err) || !strings.Contains(err.Error(), "its disk was another one") || base.closed != 1 {
		t.Errorf("%v; the disk was given back %d times", err, base.closed)
	}
	lock, err := p.reserve() // nobody holds the place
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
}
