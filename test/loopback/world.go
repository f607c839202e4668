package loopback

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/cli"
	"stet/internal/lock"
	"stet/internal/mirror"
	"stet/internal/mirror/mirrortest"
	"stet/internal/namespace"
	"stet/internal/sandbox"
	"stet/internal/signature"
	"stet/internal/state"
	"stet/test/program"
)

// keysVariable names the file with the keys that the program trusts. Its
// presence is what makes the test's binary stet.
const keysVariable = "STET_LOOPBACK_KEYS"

// keysBeside ends the name of that file where it lies beside the program: a switch
// starts it again by systemd, which gives it another environment.
const keysBeside = ".keys"

// rootVariable names the directory that stands for the root of a machine.
const rootVariable = "STET_LOOPBACK_ROOT"

// patienceVariable is how long the program waits for scripts.
const patienceVariable = "STET_LOOPBACK_PATIENCE"

// Main ends the process when it was started as stet or as one of its
// sandboxes.
func Main() {
	namespace.Main()
	sandbox.Main()
	name, started := startedAsStet()
	if !started {
		return
	}
	keys, err := readKeys(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(cli.ExitFailed)
	}
	patience, err := time.ParseDuration(cmp.Or(os.Getenv(patienceVariable), "0s"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(cli.ExitFailed)
	}
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(cli.ExitFailed)
	}
	os.Exit(cli.Run(context.Background(), cli.Environment{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Dir: dir, Root: os.Getenv(rootVariable), Getenv: os.Getenv, Now: time.Now, Keys: keys, Enter: namespace.Enter, Patience: patience,
	}, os.Args[1:]))
}

// startedAsStet reports whether the process was, and where its keys are.
func startedAsStet() (keys string, started bool) {
	if keys, started = os.LookupEnv(keysVariable); started {
		return keys, true
	}
	self, err := os.Executable()
	if err != nil {
		return "", false
	}
	_, err = os.Stat(self + keysBeside)
	return self + keysBeside, err == nil
}

func readKeys(name string) (*signature.Keyring, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return signature.ParseKeys(data)
}

// World is an archive, a repository and a store of their own.
type World struct {
	// Stet is the program, in the repository, with the store.
	Stet program.Program
	// Archive, and the suites of its fixes, may be changed until [World.Serve].
	Archive, Updates, Security *mirrortest.Archive
	// Beside are more archives, to be served with them.
	Beside []*mirrortest.Archive
	Server *mirrortest.Server
	// Store is the directory of the store.
	Store string

	minimal program.Program
	debs    map[string]mirror.Deb // by package
}

// New makes a world whose archive has what examples/minimal needs, and more.
// The repository is a copy of that example, locked.
func New(t testing.TB, more ...mirrortest.Deb) *World {
	t.Helper()
	w := &World{minimal: program.Example(t, "minimal"), debs: map[string]mirror.Deb{}}
	base := t.TempDir()
	w.Store = filepath.Join(base, "store")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.Stet = program.Program{Path: self, Dir: w.minimal.Dir, Env: []string{
		keysVariable + "=" + filepath.Join(base, "keys"), "STET_STORE=" + w.Store,
	}}
	w.Archive = mirrortest.New("trixie", time.Now())
	w.Updates, w.Security = mirrortest.New("trixie-updates", time.Now()), mirrortest.New("trixie-security", time.Now())
	w.Security.Name = "debian-security"
	from := w.minimal.Store(t)
	for _, p := range program.ReadLock(t, w.minimal.Dir).Packages {
		if p.Synthetic {
			continue
		}
		added, err := w.Archive.AddFile(program.Deb(from, p))
		if err != nil {
			t.Fatal(err)
		}
		w.debs[p.Name] = added
	}
	w.Add(more...)
	return w
}

// Add puts packages into the archive.
func (w *World) Add(debs ...mirrortest.Deb) {
	for _, added := range w.Archive.Add(debs...) {
		w.debs[added.Name] = added
	}
}

// Serve starts the archive's server and lets stet trust its key.
func (w *World) Serve(t testing.TB) {
	t.Helper()
	w.Updates.Key, w.Security.Key = w.Archive.Key, w.Archive.Key
	w.Server = w.Archive.Serve(t, append([]*mirrortest.Archive{w.Updates, w.Security}, w.Beside...)...)
	w.Trust(t, w.Archive.Key)
	w.Stet = w.Stet.With("STET_MIRROR=" + w.Server.URL)
}

// Wait lets stet wait for scripts only so long.
func (w *World) Wait(patience time.Duration) {
	w.Stet = w.Stet.With(patienceVariable + "=" + patience.String())
}

// Trust makes a key the only one that stet trusts.
func (w *World) Trust(t testing.TB, key *mirrortest.Key) {
	t.Helper()
	for _, line := range w.Stet.Env {
		if name, found := strings.CutPrefix(line, keysVariable+"="); found {
			w.write(t, name, string(key.Public()))
		}
	}
}

// On gives the program on what stands for the root of a machine that runs a system.
// No other of its files is there.
func (w *World) On(t testing.TB, system string) *World {
	t.Helper()
	root := t.TempDir()
	record := state.Boot{Machine: filepath.Base(w.Stet.Dir), System: system}.Bytes()
	at := filepath.Join(root, state.BootFile)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(t, at, string(record))
	other := *w
	other.Stet = w.Stet.With(rootVariable + "=" + root)
	return &other
}

// Carry gives a directory for a guest, with the program and the keys that it trusts
// ("stet", "stet.keys"), the repository ("repository") and what the server has, for
// a file:// mirror ("debian", and others beside it).
func (w *World) Carry(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile(w.Stet.Path)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "stet")
	if err := os.WriteFile(at, program, 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(t, at+keysBeside, string(w.Archive.Key.Public()))
	if err := os.CopyFS(filepath.Join(dir, "repository"), os.DirFS(w.Stet.Dir)); err != nil {
		t.Fatal(err)
	}
	for _, a := range append([]*mirrortest.Archive{w.Archive, w.Updates, w.Security}, w.Beside...) {
		if err := a.Write(filepath.Join(dir, a.Name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Deb is a package of the archive, the one added last of its name.
func (w *World) Deb(name string) mirror.Deb { return w.debs[name] }

// GiveDebs puts what examples/minimal needs into the store, as if it had been
// fetched.
func (w *World) GiveDebs(t testing.TB) {
	t.Helper()
	minimal := w.minimal
	minimal.Dir = w.Stet.Dir
	for _, p := range program.ReadLock(t, minimal.Dir).Packages {
		if p.Synthetic {
			continue
		}
		if _, err := os.Stat(program.Deb(minimal.Store(t), p)); err == nil {
			minimal.GiveDeb(t, w.Store, p)
		}
	}
}

// Want declares packages beside those of examples/minimal.
func (w *World) Want(t testing.TB, packages ...string) {
	t.Helper()
	w.Declare(t, "packages: ["+strings.Join(packages, ", ")+"]")
}

// Declare adds options to those of examples/minimal.
func (w *World) Declare(t testing.TB, options string) {
	t.Helper()
	name := filepath.Join(w.Stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, name, string(text)+"\n"+options+"\n")
}

// Lock gives the text of stet.lock.
func (w *World) Lock(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Stet.Dir, lock.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// In gives the program with another store, which is empty.
func (w *World) In(t testing.TB, store string) *World {
	other := *w
	other.Store = store
	other.Stet = w.Stet.With("STET_STORE=" + store)
	return &other
}

func (w *World) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
