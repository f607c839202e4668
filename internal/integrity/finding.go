package integrity

import "stet/internal/store"

// Problem is what is wrong with a file.
type Problem string

// The problems.
const (
	Missing  Problem = "missing"
	Damaged  Problem = "damaged"
	Unsealed Problem = "unsealed" // its content is right, but could change
)

// Finding is one file of the store that is not as it should be.
type Finding struct {
	Problem Problem    `json:"problem"`
	Kind    store.Kind `json:"kind"`
	Name    string     `json:"name"`             // path in the store
	Detail  string     `json:"detail,omitempty"` // how that shows
	Hurts   []Hurt     `json:"hurts,omitempty"`  // nothing: no system needs it

	digest string
}

// Hurt is what a finding means for people.
type Hurt struct {
	Path        string   `json:"path,omitempty"`    // where the content is seen; empty when all of the system needs it
	Package     string   `json:"package,omitempty"` // that brings it; empty when none does
	Machine     string   `json:"machine,omitempty"` // of the systems
	Systems     []string `json:"systems,omitempty"` // digests
	Generations []int    `json:"generations,omitempty"`
}

// Report is what was looked at, and what was found, sorted by kind and name.
type Report struct {
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Seals    bool      `json:"seals"`            // the file system has fs-verity
	Sealed   int       `json:"sealed,omitempty"` // files that were sealed just now
	Findings []Finding `json:"findings"`
}
