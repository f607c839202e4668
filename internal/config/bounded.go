package config

import (
	"context"
	"fmt"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"time"

	"cuelang.org/go/cue/ast"
	"golang.org/x/sys/unix"
)

// Limit bounds what the evaluation of one machine may take. CUE always ends in
// theory, but loops in loops may outlive the person who waits.
type Limit struct {
	Time   time.Duration // of processors
	Memory uint64        // bytes of the process
}

// DefaultLimit is a hundred times what a large machine takes.
func DefaultLimit() Limit { return Limit{Time: 10 * time.Second, Memory: 2 << 30} }

// evaluationFailed is an evaluation that ended without a value or an error of
// its own: it panicked, or was given up.
type evaluationFailed struct{ message, remedy string }

func (e *evaluationFailed) Error() string { return e.message }

// bounded runs one evaluation, and counts it among those that share the process's
// time. One that takes too much is left behind, because
// CUE has no way to stop it; the caller is about to end the process.
func bounded[T any](ctx context.Context, limit Limit, evaluating *atomic.Int64, work func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	evaluating.Add(1)
	go func() {
		var o outcome
		// CUE's evaluator is large and foreign, and configurations may be
		// hostile: what makes it panic is wrong input like any other.
		defer func() {
			if r := recover(); r != nil {
				o.err = &evaluationFailed{fmt.Sprintf("%s: %v", evaluatorFailed, r), "this is a mistake of Stet: please report it with the configuration"}
			}
			evaluating.Add(-1)
			done <- o
		}()
		o.value, o.err = work()
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var none T
	taken := time.Duration(0)
	for last := processorTime(); ; {
		select {
		case o := <-done:
			return o.value, o.err
		case <-ctx.Done():
			return none, ctx.Err()
		case <-tick.C:
		}
		now := processorTime()
		taken += (now - last) / time.Duration(max(1, evaluating.Load()))
		last = now
		if taken > limit.Time {
			return none, &evaluationFailed{message: fmt.Sprintf("its evaluation was given up after %s of processor time", limit.Time)}
		}
		if used := memoryInUse(); used > limit.Memory {
			return none, &evaluationFailed{message: fmt.Sprintf("its evaluation was given up at %d MB of memory", used>>20)}
		}
	}
}

// processorTime is what the process has used so far, of all processors.
func processorTime() time.Duration {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// memoryInUse is what the process has of the system, in bytes.
func memoryInUse() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// loops are the places of the loops in files, the most deeply nested first:
// what does not end is most likely one of them.
func loops(trees []*ast.File, where *places) []Place {
	type loop struct {
		depth int
		place Place
	}
	var all []loop
	for _, tree := range trees {
		depth := 0
		var left []int // depths to go back to
		ast.Walk(tree, func(n ast.Node) bool {
			left = append(left, depth)
			if c, ok := n.(*ast.Comprehension); ok {
				for _, clause := range c.Clauses {
					if f, ok := clause.(*ast.ForClause); ok {
						depth++
						all = append(all, loop{depth, where.at(f.For)})
					}
				}
			}
			return true
		}, func(ast.Node) {
			depth = left[len(left)-1]
			left = left[:len(left)-1]
		})
	}
	slices.SortStableFunc(all, func(a, b loop) int { return b.depth - a.depth })
	var found []Place
	for _, l := range all {
		found = append(found, l.place)
	}
	return found
}
