package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/graph"
)

func span(stage graph.Stage, name string, begin, end time.Duration) graph.Span {
	return graph.Span{Step: graph.Step{Stage: stage, Name: name}, Begin: begin * time.Millisecond, End: end * time.Millisecond}
}

// drawn is what a program reads of a trace: names of threads, and on each the
// spans as "name begin-end", in microseconds.
func drawn(t *testing.T, spans []graph.Span) map[string][]string {
	t.Helper()
	var text bytes.Buffer
	if err := Write(&text, spans, nil); err != nil {
		t.Fatal(err)
	}
	var read struct {
		TraceEvents []struct {
			Name, Ph string
			Ts, Dur  float64
			Pid, Tid int
			Args     map[string]any
		}
	}
	if err := json.Unmarshal(text.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	threads, got := map[int]string{}, map[string][]string{}
	for _, e := range read.TraceEvents {
		if e.Pid != process {
			t.Errorf("%s is of process %d", e.Name, e.Pid)
		}
		switch e.Ph {
		case "M":
			if e.Name == "thread_name" {
				threads[e.Tid], _ = e.Args["name"].(string)
			}
		case "X", "i":
			end := time.Duration(e.Ts+e.Dur) * time.Microsecond
			got[threads[e.Tid]] = append(got[threads[e.Tid]], e.Ph+" "+e.Name+" "+(time.Duration(e.Ts)*time.Microsecond).String()+"-"+end.String())
		default:
			t.Errorf("an event of phase %q", e.Ph)
		}
	}
	return got
}

func TestSpansNestOrLieBesideEachOther(t *testing.T) {
	reused := span(graph.Number, "", 95, 95)
	reused.Reused = true
	got := drawn(t, []graph.Span{
		span(graph.Evaluate, "", 0, 10),
		span(graph.Import, "a", 10, 30), span(graph.Import, "b", 10, 20), span(graph.Import, "c", 20, 35),
		span(graph.Script, "configure libc6", 42, 60), // told before what it is a part of
		span(graph.Base, "", 25, 65),
		span(graph.Script, "configure bash", 60, 64),
		span(graph.Configure, "", 65, 95), reused,
		span(graph.System, "", 90, 99), // crosses the end of another
	})
	want := map[string][]string{
		"build 1": {
			"X evaluate 0s-10ms", "X base 25ms-65ms", "X configure libc6 42ms-60ms", "X configure bash 60ms-64ms",
			"X configure 65ms-95ms", "i number 95ms-95ms",
		},
		"build 2":  {"X system 90ms-99ms"},
		"unpack 1": {"X import a 10ms-30ms"},
		"unpack 2": {"X import b 10ms-20ms", "X import c 20ms-35ms"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATraceIsWhatTheFormatSays(t *testing.T) {
	failed := span(graph.Disk, "raw", 2, 3)
	failed.Failed = true
	image := span(graph.Image, "etc", 1, 2)
	image.Bytes, image.Result = 4096, "abc"
	var text bytes.Buffer
	if err := Write(&text, []graph.Span{image, failed}, map[string]string{"command": "stet build"}); err != nil {
		t.Fatal(err)
	}
	want := `{"traceEvents":[` +
		`{"name":"process_name","ph":"M","ts":0,"pid":1,"tid":0,"args":{"name":"stet"}},` +
		`{"name":"thread_name","ph":"M","ts":0,"pid":1,"tid":0,"args":{"name":"build 1"}},` +
		`{"name":"image etc","cat":"image","ph":"X","ts":1000,"dur":1000,"pid":1,"tid":0,"args":{"bytes":4096,"result":"abc"}},` +
		`{"name":"disk raw","cat":"disk","ph":"X","ts":2000,"dur":1000,"pid":1,"tid":0,"args":{"state":"failed"}}],` +
		`"displayTimeUnit":"ms","otherData":{"command":"stet build"}}` + "\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestATraceThatCannotBeWrittenIsAnError(t *testing.T) {
	if err := Write(full{}, nil, nil); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}
