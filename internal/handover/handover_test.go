package handover_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/generation"
	"stet/internal/handover"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/system/systemtest"
)

func newStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// offered gives a store with a system, and its offer.
func offered(t testing.TB, change string) (*store.Store, handover.Offer) {
	t.Helper()
	s := newStore(t)
	return s, offer(t, s, change)
}

func offer(t testing.TB, s *store.Store, change string) handover.Offer {
	t.Helper()
	return offerOf(t, s, change, change)
}

// offerOf is offer of a system with one change in /usr and another in /etc.
func offerOf(t testing.TB, s *store.Store, change, etc string) handover.Offer {
	t.Helper()
	files := map[string]string{"/lib/change": change, "/lib/empty": ""}
	for n := range 20 {
		files[fmt.Sprintf("/lib/file%d", n)] = strings.Repeat(fmt.Sprint("content ", n), 1000*n+1)
	}
	digest := systemtest.Put(t, s, systemtest.System{Usr: files, Etc: map[string]string{"/motd": etc}})
	o, err := handover.Make(s, digest, generation.Provenance{
		Commit: source.Commit{ID: "c0ffee"}, Bundle: systemtest.Object(t, s, "bundle of "+change), SourceMap: systemtest.Object(t, s, "map"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// pipe hands o over from one store to the other, and gives what both ends say.
func pipe(t testing.TB, from, to *store.Store, o handover.Offer, spoil func(io.Reader) io.Reader) (taken handover.Taken, sent, received error) {
	t.Helper()
	toReceiver, senderOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	toSender, receiverOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer toSender.Close()
	done := make(chan error)
	go func() {
		outcome, err := handover.Serve(toSender, senderOut, from, o)
		senderOut.Close()
		if err == nil && outcome.Generation != 7 {
			err = fmt.Errorf("the outcome is %+v", outcome)
		}
		done <- err
	}()
	var in io.Reader = toReceiver
	if spoil != nil {
		in = spoil(in)
	}
	receiver, got, err := handover.Receive(in, receiverOut)
	if err == nil {
		if diff := cmp.Diff(o, got); diff != "" {
			t.Error(diff)
		}
		if taken, err = handover.Take(t.Context(), to, receiver, got, "", nil); err == nil {
			err = receiver.Done(handover.Outcome{Generation: 7, Files: taken.Files, Bytes: taken.Bytes})
		}
	}
	if err != nil {
		_ = receiver.Fail(err, "")
	}
	receiverOut.Close()
	toReceiver.Close()
	sent = <-done
	return taken, sent, err
}

func complete(t testing.TB, s *store.Store, o handover.Offer) {
	t.Helper()
	if missing, err := s.Missing(o.System); err != nil || len(missing) > 0 {
		t.Errorf("it lacks %v, %v", missing, err)
	}
	for _, d := range []fmt.Stringer{o.Bundle, o.SourceMap} {
		if _, err := s.Size(store.Objects, d.String()); err != nil {
			t.Error(err)
		}
	}
}

func TestOverAPipeOnlyWhatIsMissingIsSent(t *testing.T) {
	from, o := offered(t, "one")
	to := newStore(t)
	first, sent, received := pipe(t, from, to, o, nil)
	if sent != nil || received != nil {
		t.Fatal(sent, received)
	}
	complete(t, to, o)
	if again, sent, received := pipe(t, from, to, o, nil); again != (handover.Taken{}) || sent != nil || received != nil {
		t.Errorf("once more: %+v, %v, %v", again, sent, received)
	}
	next := offer(t, from, "another")
	second, sent, received := pipe(t, from, to, next, nil)
	if sent != nil || received != nil {
		t.Fatal(sent, received)
	}
	complete(t, to, next)
	// Manifest, two trees, two images, the change and the bundle.
	if second.Files != 7 || second.Bytes > first.Bytes/10 {
		t.Errorf("of the next, %d files of %d bytes came, and %d of %d before", second.Files, second.Bytes, first.Files, first.Bytes)
	}
}

func TestOfWhatRunsOnlyTheOriginIsTaken(t *testing.T) {
	from, o := offered(t, "one")
	to := newStore(t)
	if _, err := handover.Take(t.Context(), to, handover.Store{Store: from}, o, "", nil); err != nil {
		t.Fatal(err)
	}
	// Another commit of the same system, of which something was damaged.
	o.Bundle = systemtest.Object(t, from, "bundle of another commit")
	gone := to.ObjectPath(systemtest.Object(t, from, "one"))
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	taken, err := handover.Take(t.Context(), to, handover.Store{Store: from}, o, o.System, nil)
	if err != nil || taken.Files != 1 {
		t.Errorf("%+v, %v", taken, err)
	}
	if _, err := os.Stat(gone); err == nil {
		t.Error("the system was looked at, too")
	}
	if _, err := handover.Take(t.Context(), to, handover.Store{Store: from}, o, "", nil); err != nil {
		t.Fatal(err)
	}
	complete(t, to, o)
}

// Of what a system shares with one that runs nothing is looked at, and of the rest all.
func TestWhatRunsIsNotLookedAtAgain(t *testing.T) {
	from, o := offered(t, "one")
	to := newStore(t)
	if _, err := handover.Take(t.Context(), to, handover.Store{Store: from}, o, "", nil); err != nil {
		t.Fatal(err)
	}
	gone := to.ObjectPath(systemtest.Object(t, from, "one"))
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	next := offerOf(t, from, "one", "another")
	if _, err := handover.Take(t.Context(), to, handover.Store{Store: from}, next, o.System, nil); err != nil {
		t.Fatal(err)
	}
	lacks, err := to.Missing(next.System)
	if err != nil || len(lacks) != 1 || filepath.Join(to.Dir(), lacks[0]) != gone {
		t.Errorf("it lacks %v, %v", lacks, err)
	}
	if _, err := handover.Take(t.Context(), to, handover.Store{Store: from}, next, "", nil); err != nil {
		t.Fatal(err)
	}
	complete(t, to, next)
}

func TestAsADirectory(t *testing.T) {
	from, o := offered(t, "one")
	dir := t.TempDir()
	stick, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handover.Take(t.Context(), stick, handover.Store{Store: from}, o, "", nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(handover.WriteOffer(dir, o), stick.Close()); err != nil {
		t.Fatal(err)
	}
	read, err := store.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "hello"} {
		got, err := handover.ReadOffer(dir, name)
		if err != nil || cmp.Diff(o, got) != "" {
			t.Fatal(err, cmp.Diff(o, got))
		}
	}
	if _, err := handover.ReadOffer(dir, "../hello"); err != nil && strings.Contains(err.Error(), "..") {
		t.Error(err)
	}
	to := newStore(t)
	if _, err := handover.Take(t.Context(), to, handover.Store{Store: read}, o, "", nil); err != nil {
		t.Fatal(err)
	}
	complete(t, to, o)
}

// spoiled changes one byte that comes.
type spoiled struct {
	r  io.Reader
	at int64
}

func (s *spoiled) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.at >= 0 && s.at < int64(n) {
		p[s.at] ^= 1
	}
	s.at -= int64(n)
	return n, err
}

// Wherever a byte is changed or the line is cut, nothing wrong is ever there
// under its name, and the next transfer goes on.
func TestSpoiledTransfersAreRefusedAndGoneOnWith(t *testing.T) {
	from, o := offered(t, "one")
	counted := &counting{}
	if _, sent, received := pipe(t, from, newStore(t), o, func(r io.Reader) io.Reader { counted.r = r; return counted }); sent != nil || received != nil {
		t.Fatal(sent, received)
	}
	for n := int64(0); n < counted.n; n += counted.n/23 + 1 {
		for how, spoil := range map[string]func(io.Reader) io.Reader{
			"changed": func(r io.Reader) io.Reader { return &spoiled{r, n} },
			"cut":     func(r io.Reader) io.Reader { return io.LimitReader(r, n) },
		} {
			to := newStore(t)
			if _, _, received := pipe(t, from, to, o, spoil); received == nil {
				t.Errorf("%s at %d: nobody noticed", how, n)
			}
			if _, err := to.System(o.System); err == nil {
				t.Errorf("%s at %d: the manifest is there", how, n)
			}
			if left, _ := os.ReadDir(filepath.Join(to.Dir(), "tmp")); len(left) > 0 {
				t.Errorf("%s at %d: left are %v", how, n, left)
			}
			if _, sent, received := pipe(t, from, to, o, nil); sent != nil || received != nil {
				t.Fatalf("%s at %d: then %v, %v", how, n, sent, received)
			}
			complete(t, to, o)
		}
	}
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func TestASenderWithoutAllOfItSaysSo(t *testing.T) {
	from, o := offered(t, "one")
	if err := os.Remove(from.ObjectPath(o.Bundle)); err != nil {
		t.Fatal(err)
	}
	_, sent, received := pipe(t, from, newStore(t), o, nil)
	var failed *handover.FailedError
	if sent == nil || !errors.As(received, &failed) || !strings.Contains(failed.Message, "no such file") {
		t.Errorf("%v; %v", sent, received)
	}
}

func TestWhatTheReceiverSaysReachesTheSender(t *testing.T) {
	from, o := offered(t, "one")
	wrong := o
	wrong.Machine = "another"
	_, sent, _ := pipe(t, from, newStore(t), wrong, nil)
	var failed *handover.FailedError
	if !errors.As(sent, &failed) || !strings.Contains(failed.Message, `it is of machine "hello"`) {
		t.Errorf("%v", sent)
	}
}

func TestOtherVersionsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"stet handover 2\n": "use the same Stet on both ends",
		"SSH-2.0-OpenSSH\n": "no stet that hands over",
		"":                  "does not speak",
		"stet handover 1\noffer 12\n{\"format\":2}":              "use the same Stet on both ends",
		"stet handover 1\noffer 99999999\n":                      "too large",
		"stet handover 1\n" + strings.Repeat("x", 500):           "does not end",
		"stet handover 1\nfailed 21\n{\"error\":\"no machine\"}": "no machine",
	} {
		if _, _, err := handover.Receive(strings.NewReader(text), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// FuzzReceive lets a sender say anything.
func FuzzReceive(f *testing.F) {
	from, o := offered(f, "one")
	var said bytes.Buffer
	if _, _, err := pipe(f, from, newStore(f), o, func(r io.Reader) io.Reader { return io.TeeReader(r, &said) }); err != nil {
		f.Fatal(err)
	}
	f.Add(said.Bytes())
	f.Add([]byte("stet handover 1\n"))
	to := newStore(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		receiver, o, err := handover.Receive(bytes.NewReader(text), io.Discard)
		if err != nil {
			return
		}
		if _, err := handover.Take(t.Context(), to, receiver, o, "", nil); err != nil {
			return
		}
		if missing, err := to.Missing(o.System); err != nil || len(missing) > 0 {
			t.Errorf("taken, and it lacks %v, %v", missing, err)
		}
	})
}

// FuzzServe lets a receiver say anything.
func FuzzServe(f *testing.F) {
	s, o := offered(f, "one")
	f.Add([]byte("stet handover 1\nwant 73\nsystems " + o.System + "\ndone 2\n{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = handover.Serve(bytes.NewReader(text), io.Discard, s, o)
	})
}
