package twice_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"stet/internal/build"
	"stet/test/program"
)

// twiceReport is the part of `stet build --twice --json` about the second build.
type twiceReport struct {
	Same        bool               `json:"same"`
	Digest      string             `json:"digest"`
	Varied      []string           `json:"varied"`
	Differences []build.Difference `json:"differences"`
}

// buildTwice builds the only machine of a repository twice.
func buildTwice(t *testing.T, p program.Program, seed uint64) *twiceReport {
	t.Helper()
	r := p.Run(t, "build", "--twice", "--json", "--seed", strconv.FormatUint(seed, 10))
	var report struct {
		Twice *twiceReport `json:"twice"`
	}
	err := json.Unmarshal([]byte(r.Stdout), &report)
	if err != nil || report.Twice == nil || (r.Code == 0) != (len(report.Twice.Differences) == 0) || r.Code > 1 {
		t.Fatalf("exit code %d, %v\n%s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	t.Logf("%.0f s, %d MB; varied: %s", r.Took.Seconds(), r.Memory>>20, strings.Join(report.Twice.Varied, "; "))
	return report.Twice
}

// seed is an order of configuring: STET_SEED, or another one each time.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64N(1<<32) + 1
	if text := os.Getenv("STET_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("STET_SEED: %v", err)
		}
	}
	t.Logf("STET_SEED=%d", n)
	return n
}

func isTheSameTwice(t *testing.T, p program.Program) {
	t.Helper()
	n := seed(t)
	p.Build(t)
	for _, d := range buildTwice(t, p, n).Differences {
		t.Error(d)
	}
}

func TestHelloIsTheSameTwice(t *testing.T) {
	isTheSameTwice(t, program.Example(t, "hello"))
}
