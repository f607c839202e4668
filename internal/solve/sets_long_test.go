//go:build long

package solve

import (
	"testing"

	"stet/test/chance"
)

// randomSets is how many drawn sets are held against apt: 200 are five rounds.
func randomSets(t *testing.T) int { return 40 * chance.Rounds(t, 5) }

const longRun = true
