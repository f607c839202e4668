package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"stet/internal/build"
	"stet/internal/store"
)

// triedNumbers are those that accounts got by `stet try -p`. No lock has them, and
// what the programs wrote to /var stays when the try ends: a lock that is made on this
// machine gives them to the same accounts, and to no other.
type triedNumbers struct {
	Format int `json:"format"`
	build.Numbers
}

// triedFormat is the only format of the file there is.
const triedFormat = 1

func triedFile(s *store.Store) string { return filepath.Join(s.Dir(), "state", "tried.json") }

// givenNumbers reads what tries gave on the machine whose store it is.
func givenNumbers(s *store.Store) (build.Numbers, error) {
	text, err := os.ReadFile(triedFile(s))
	if errors.Is(err, fs.ErrNotExist) {
		return build.Numbers{}, nil
	}
	if err != nil {
		return build.Numbers{}, err
	}
	var tried triedNumbers
	if err := json.Unmarshal(text, &tried); err != nil {
		return build.Numbers{}, fmt.Errorf("read %s: %w", triedFile(s), err)
	}
	if tried.Format != triedFormat {
		return build.Numbers{}, fmt.Errorf("%s has format %d; this Stet knows %d: use a newer one", triedFile(s), tried.Format, triedFormat)
	}
	return tried.Numbers, nil
}

// noteNumbers adds what a try gives, before anything of it runs.
func noteNumbers(s *store.Store, more build.Numbers) error {
	given, err := givenNumbers(s)
	if err != nil {
		return err
	}
	all := build.Numbers{Users: map[string]int{}, Groups: map[string]int{}}
	for _, n := range []build.Numbers{given, more} {
		maps.Copy(all.Users, n.Users)
		maps.Copy(all.Groups, n.Groups)
	}
	if maps.Equal(all.Users, given.Users) && maps.Equal(all.Groups, given.Groups) {
		return nil
	}
	text, err := json.MarshalIndent(triedNumbers{triedFormat, all}, "", "  ")
	if err != nil {
		return err
	}
	return replace(triedFile(s), string(text)+"\n")
}
