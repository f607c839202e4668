package store

import (
	"errors"
	"os"
	"testing"
)

func TestWhoCollectsIsAlone(t *testing.T) {
	s := open(t)
	var busy *BusyError
	if _, err := OpenAlone(s.Dir()); !errors.As(err, &busy) {
		t.Errorf("opened beside another: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alone, err := OpenAlone(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if _, err := OpenAlone(s.Dir()); !errors.As(err, &busy) {
		t.Errorf("opened twice: %v", err)
	}
}

func TestSweepDeletesWhatIsNotHeld(t *testing.T) {
	s := open(t)
	keep, err := s.PutBytes([]byte("keep"))
	if err != nil {
		t.Fatal(err)
	}
	gone, err := s.PutBytes([]byte("let go"))
	if err != nil {
		t.Fatal(err)
	}
	holds := func(digest string) bool { return digest == keep.String() }
	for _, dry := range []bool{true, false} {
		swept, err := s.Sweep(Objects, holds, dry)
		if err != nil || swept != (Swept{1, 6}) {
			t.Errorf("dry %v: %+v, %v", dry, swept, err)
		}
		if s.Has(gone) != dry || !s.Has(keep) {
			t.Errorf("dry %v: the wrong ones are there", dry)
		}
	}
	for _, k := range []Kind{Systems, Images, Trees} {
		if swept, err := s.Sweep(k, holds, false); err != nil || swept.Files != 0 {
			t.Errorf("%s: %+v, %v", k, swept, err)
		}
	}
	if _, err := s.Size(Objects, gone.String()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if n, err := s.Size(Objects, keep.String()); err != nil || n != 4 {
		t.Errorf("%d, %v", n, err)
	}
}
