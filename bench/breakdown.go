package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/initrd"
	"stet/internal/lock"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/store"
)

// breakdown builds in this process and notes when which stage began and when it
// was last heard of. Stages that run side by side overlap: their seconds are
// more than the build's.
func (b *bench) breakdown(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	times := map[string][]float64{}
	var order []string
	for i := range b.runs {
		say("breakdown, run %d of %d", i+1, b.runs)
		dir := filepath.Join(b.dir, fmt.Sprint("breakdown-", i)) // see server190
		if err := emptyStore(dir, l.store); err != nil {
			return nil, err
		}
		w, err := b.watchedBuild(ctx, l, dir)
		if err != nil {
			return nil, err
		}
		for j, stage := range w.stages {
			if !slices.Contains(order, stage.name) {
				order = append(order, stage.name)
			}
			end := w.end
			for _, other := range w.stages[j+1:] {
				if !other.begin.Before(stage.last) {
					end = other.begin // it works until the next one begins
					break
				}
			}
			times[stage.name] = append(times[stage.name], end.Sub(stage.begin).Seconds())
		}
	}
	var out []result
	for _, name := range order {
		out = append(out, measured("breakdown: "+name, "s", times[name], 0))
	}
	return out, nil
}

// stage is a part of a build, with the times of its first and last event.
type stage struct {
	name        string
	begin, last time.Time
}

type watch struct {
	mu     sync.Mutex
	stages []stage
	end    time.Time
}

func (w *watch) event(e progress.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for i := range w.stages {
		if w.stages[i].name == e.Stage {
			w.stages[i].last = now
			return
		}
	}
	w.stages = append(w.stages, stage{e.Stage, now, now})
}

func (b *bench) watchedBuild(ctx context.Context, l *lab, dir string) (*watch, error) {
	c, err := config.Load(ctx, l.repository)
	if err != nil {
		return nil, err
	}
	m, err := c.Machine(machineName)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	init, err := initrd.Init()
	if err != nil {
		return nil, err
	}
	if b.profile != "" {
		file, err := os.Create(b.profile)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	w := &watch{}
	w.event(progress.Event{Stage: "unpack packages"})
	builder := build.Builder{Store: s, Debs: fetched{l.store}, Provider: rootfs.Overlay{}, Init: init, Report: w.event}
	if _, err := builder.Build(ctx, m, l.lock, os.DirFS(l.repository)); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	w.end = time.Now()
	return w, nil
}

// fetched are the fetched packages of a store.
type fetched struct{ store string }

// Open implements [build.Debs].
func (d fetched) Open(p lock.Package) (*os.File, error) {
	return os.Open(filepath.Join(d.store, debs, p.SHA256+".deb"))
}
