package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stet/internal/cli"
	"stet/internal/sandbox"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == measureAloneCommand {
		os.Exit(measureAlone(os.Args[2], os.Args[3:]))
	}
	sandbox.Main() // the breakdown builds in this process
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) == 4 && os.Args[1] == resolveAloneCommand {
		cli.DelayCollection() // as `stet lock` does
		if err := resolveAlone(ctx, os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what all measurements share.
type bench struct {
	stet    string // absolute path of the binary
	dir     string // everything is below it
	runs    int
	profile string            // file for a CPU profile of the breakdown
	labs    map[string]*lab   // by name
	roots   map[string]string // that peers run in, by name
}

// measurements are made in this order; what the table shows has this one too. What single
// runs leave is removed before the next: patterns of names.
var measurements = []struct {
	name   string
	make   func(*bench, context.Context) ([]result, error)
	leaves []string
}{
	{"language", (*bench).language, nil},
	{"resolve", (*bench).resolve, nil},
	{"lock", (*bench).lock, nil},
	{"server190", (*bench).server190, []string{"server190.*-[0-9]*", "server190.buildah"}},
	{"server-large", (*bench).serverLarge, []string{"server-large.*-[0-9]*"}},
	{"leaf", (*bench).leaf, []string{"leaf-*-[0-9]*", "leaf.base"}},
	{"growth", (*bench).growth, []string{"growth-*"}},
	{"unchanged", (*bench).unchanged, nil},
	{"line", (*bench).line, nil},
	{"fleet", (*bench).fleet, nil},
	{"image", (*bench).image, nil},
	{"mkosi", (*bench).mkosi, []string{"disk.built-*", "disk-[0-9]*", "mkosi-[0-9]*"}},
	{"breakdown", (*bench).breakdown, []string{"breakdown-*"}},
	{"initrd", (*bench).initrd, nil},
	{"generations", (*bench).generations, nil},
	{"switch", (*bench).switching, nil},
	{"drift", (*bench).drift, nil},
}

func names() []string {
	var all []string
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

func run(ctx context.Context) (err error) {
	b := bench{labs: map[string]*lab{}, roots: map[string]string{}}
	asJSON := flag.Bool("json", false, "print one JSON document instead of tables")
	only := flag.String("only", "", "measure only these, separated by commas: "+strings.Join(names(), ", "))
	flag.StringVar(&b.stet, "stet", "bin/stet", "the stet `binary`")
	flag.StringVar(&b.dir, "dir", "", "work in `DIR` and leave it; default: a temporary directory")
	flag.StringVar(&b.profile, "cpuprofile", "", "write a CPU profile of the breakdown to `FILE`")
	save := flag.Bool("save", false, "keep what is measured in "+figuresFile+", and make "+pageFile+" and its plot of it")
	check := flag.Bool("check", false, "fail when a ratio is worse than the one that is kept by more than a quarter")
	flag.IntVar(&b.runs, "runs", 5, "how often the slow things are done")
	flag.Parse()
	if b.stet, err = filepath.Abs(b.stet); err != nil {
		return err
	}
	if _, err := os.Stat(b.stet); err != nil {
		return fmt.Errorf("%w: run \"make build\" first, in the root of the repository", err)
	}
	if os.Geteuid() != 0 {
		return errors.New("mmdebstrap and the sandbox want root: run it as root")
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("/var/tmp", "stet-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, removeAll(b.dir)) }()
	}
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	keepApart(b.dir)
	wanted := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("-only %s: there is no such measurement: name some of %s", name, strings.Join(names(), ", "))
		}
	}
	if len(wanted) == 0 || slices.Contains(wanted, "growth") { // which needs the most
		if err := needRoom(b.dir); err != nil {
			return err
		}
	}
	kept, err := readFigures(figuresFile)
	if err != nil {
		return err
	}
	var newer figures
	measuring := commit() // who commits meanwhile has another one
	report := report{Host: describeHost(b.dir)}
	err = b.measureAll(ctx, wanted, func(name string, results []result) error {
		report.Results = append(report.Results, results...)
		newer = append(newer, figureOf(name, measuring, time.Now(), report.Host, results))
		if !*save {
			return nil
		}
		return kept.with(newer).save() // at once: what ends the hours that are left does not take these along
	})
	worse := kept.worse(newer)
	for _, what := range worse {
		say("worse: %s", what)
	}
	if *check && len(worse) > 0 {
		err = errors.Join(err, fmt.Errorf("%d of the ratios are worse than they were", len(worse)))
	}
	report.Host.LoadAfter = loadAverage()
	if *asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return errors.Join(err, encoder.Encode(report))
	}
	return errors.Join(err, report.print(os.Stdout))
}

// measureAll makes the wanted measurements, all where none is named, and hands on what
// each gave. What was handed on before one fails took long: it is not lost.
func (b *bench) measureAll(ctx context.Context, wanted []string, handOn func(name string, results []result) error) error {
	var left []string
	for _, m := range measurements {
		if len(wanted) > 0 && !slices.Contains(wanted, m.name) {
			continue
		}
		if err := b.settle(ctx, left...); err != nil {
			return err
		}
		left = m.leaves
		results, err := m.make(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := handOn(m.name, results); err != nil {
			return err
		}
	}
	return nil
}

// say tells on stderr what is being done: a whole run takes minutes.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
