package solve

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSolveGivesUp asks for more pigeons than there are holes, which no
// learning of clauses masters; an archive must not be able to hang Stet so.
func TestSolveGivesUp(t *testing.T) {
	const holes = 12
	var lines, pigeons []string
	for i := range holes + 1 {
		var in []string
		for j := range holes {
			name := fmt.Sprintf("p%d-in-%d", i, j)
			in = append(in, name)
			lines = append(lines, fmt.Sprintf("%s 1; Provides: hole%d; Conflicts: hole%d", name, j, j))
		}
		name := fmt.Sprintf("pigeon%d", i)
		pigeons = append(pigeons, name)
		lines = append(lines, name+" 1; Depends: "+strings.Join(in, " | "))
	}
	u := NewUniverse(Group{Catalogs: catalogs(packages(t, lines...))})
	start := time.Now()
	_, err := Solve(u, Request{Wants: wants(pigeons...), Architecture: "amd64"})
	if !errors.Is(err, ErrTooHard) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("gave up only after %v", d)
	}
	if _, err := Solve(u, Request{Wants: wants(pigeons[:holes]...), Architecture: "amd64"}); err != nil {
		t.Errorf("with enough holes: %v", err)
	}
}
