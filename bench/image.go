package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// What an image of the server may take: seconds, and megabytes of memory.
const (
	imageSeconds = 3
	imageMemory  = 200
)

// image makes the disk of the server out of a store that has its system.
func (b *bench) image(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, err := b.runStet(ctx, l.repository, l.store, "build"); err != nil {
		return nil, err
	}
	var raw, cpu, memory, qcow2 []float64
	for i := range b.runs {
		say("image, run %d of %d", i+1, b.runs)
		for _, format := range []string{"raw", "qcow2"} {
			path := filepath.Join(b.dir, fmt.Sprintf("image-%d.%s", i, format))
			took, _, err := b.runStet(ctx, l.repository, l.store, "image", "--format", format, "-o", path)
			if err != nil {
				return nil, err
			}
			memory = append(memory, took.Memory)
			if format == "raw" {
				raw, cpu = append(raw, took.Wall), append(cpu, took.CPU)
			} else {
				qcow2 = append(qcow2, took.Wall)
			}
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	return []result{
		measured("server190: stet image, system built", "s", raw, imageSeconds),
		measured("server190: stet image, CPU time", "s", cpu, 0),
		measured("server190: stet image --format qcow2", "s", qcow2, 0),
		measured("server190: peak memory of stet image", "MB", memory, imageMemory),
	}, nil
}
