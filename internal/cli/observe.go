package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/graph"
	"stet/internal/trace"
)

// observed measures the work of one command. nil measures nothing.
type observed struct {
	now   func() time.Time
	began time.Time

	mu    sync.Mutex
	spans []graph.Span
}

// observe begins to measure.
func (a *app) observe() {
	if a.observed == nil {
		a.observed = &observed{now: a.Now, began: a.Now()}
	}
}

// observer is what rooms tell what they do; nil when nobody measures.
func (o *observed) observer() graph.Observer {
	if o == nil {
		return nil
	}
	return o.begin
}

func (o *observed) begin(step graph.Step) func(graph.Outcome) {
	at := o.now().Sub(o.began)
	o.mu.Lock()
	defer o.mu.Unlock()
	i := len(o.spans)
	o.spans = append(o.spans, graph.Span{Step: step, Begin: at, Failed: true})
	return func(made graph.Outcome) { o.end(i, made) }
}

func (o *observed) end(i int, made graph.Outcome) {
	at := o.now().Sub(o.began)
	var size int64
	if made.Bytes != nil {
		size = made.Bytes()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.spans[i]
	s.End, s.Failed, s.Reused, s.Bytes, s.Result, s.Of, s.Note = at, false, made.Reused, size, made.Result, made.Of, made.Note
}

// all gives the spans until now; what has not ended, ends here.
func (o *observed) all() []graph.Span {
	at := o.now().Sub(o.began)
	o.mu.Lock()
	defer o.mu.Unlock()
	spans := append([]graph.Span{}, o.spans...)
	for i := range spans {
		if spans[i].Failed {
			spans[i].End = at
		}
	}
	return spans
}

// notes gives what rooms say of what they did, each once.
func (o *observed) notes() []string {
	var notes []string
	for _, s := range o.all() {
		if s.Note != "" && !slices.Contains(notes, s.Note) {
			notes = append(notes, s.Note)
		}
	}
	return notes
}

// traced gives a command --trace. The trace of one that fails tells what it had
// done until then.
func (a *app) traced(cmd *cobra.Command) *cobra.Command {
	var name string
	cmd.Flags().StringVar(&name, "trace", "", "write when each step was to `FILE`, for Perfetto or Chrome")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if name == "" {
			return run(cmd, args)
		}
		file := absolute(a.Dir, name)
		if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
			return wrongInput(fmt.Errorf("%s: there is no such directory to write the trace into", filepath.Dir(file)), "")
		}
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return wrongInput(fmt.Errorf("%s is not a file", file), "--trace takes the name of a new one")
		}
		a.observe()
		err := run(cmd, args)
		unwritten := a.writeTrace(file, cmd.CommandPath())
		if err == nil {
			return unwritten
		}
		if unwritten != nil {
			a.term.Note(unwritten.Error())
		}
		return err
	}
	return cmd
}

func (a *app) writeTrace(file, command string) error {
	var text bytes.Buffer
	if err := trace.Write(&text, a.observed.all(), map[string]string{"command": command, "stet": Version}); err != nil {
		return err
	}
	if err := replace(file, text.String()); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	return nil
}
