package rootfs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/graph"
)

// Each package that dpkg works on is a span, and the one that fails is still
// known when all is over.
func TestScriptsAreObserved(t *testing.T) {
	var told []string
	f := follower{
		stage: stageRest, alive: func() {},
		observe: func(s graph.Step) func(graph.Outcome) {
			told = append(told, "begin "+s.Name)
			return func(graph.Outcome) { told = append(told, "end "+s.Name) }
		},
	}
	err := f.follow(strings.NewReader(stepPrefix + "preinst libc6\n" + stepPrefix + "configure\nprocessing: configure: bash\nstatus: bash: installed\nprocessing: configure: curl\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"begin preinst libc6", "end preinst libc6", "begin configure bash", "end configure bash", "begin configure curl", "end configure curl",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if f.failed() != "curl" {
		t.Errorf("the last package is %q", f.failed())
	}
}
