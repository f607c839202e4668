package handover

import (
	"fmt"
	"io"
	"os"

	"stet/internal/store"
)

// Store is a store as a source.
type Store struct{ *store.Store }

// Send implements [Source].
func (s Store) Send(files []File, take func(File, int64, io.Reader) error) error {
	for _, f := range files {
		if err := s.send(f, take); err != nil {
			return err
		}
	}
	return nil
}

func (s Store) send(f File, take func(File, int64, io.Reader) error) error {
	file, err := os.Open(s.Path(f.Kind, f.Digest))
	if err != nil {
		return fmt.Errorf("read what is handed over: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read what is handed over: %w", err)
	}
	return take(f, info.Size(), file)
}
