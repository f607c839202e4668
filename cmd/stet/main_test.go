package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"stet/internal/mirror/mirrortest"
	"stet/internal/signature"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"stet": main,
	})
}

// TestScripts runs the real binary as the scripts in testdata/script say.
//
//	exits CODE COMMAND…               runs a command that must end with that exit code
//	deb FILE NAME VERSION [ARCH]      makes a .deb
//	key FILE armored|binary|private   makes an OpenPGP key
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			// git asks for these; nothing else of the host is seen.
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("GIT_CEILING_DIRECTORIES", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "deb": makeDeb, "key": makeKey},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("run %v: %v", args[1:], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%v ended with %d, not %d\n%s", args[1:], got, want, ts.ReadFile("stderr"))
	}
}

func makeDeb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: deb FILE NAME VERSION [ARCHITECTURE]")
	}
	d := mirrortest.Deb{Name: args[1], Version: args[2]}
	if len(args) > 3 {
		d.Architecture = args[3]
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), d.Bytes(), 0o644))
}

func makeKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: key FILE armored|binary|private")
	}
	key := mirrortest.NewKey("a repository", time.Now().Add(-time.Hour), 0)
	data := key.Public()
	switch args[1] {
	case "armored":
		text, err := signature.Armored(data)
		ts.Check(err)
		data = []byte(text)
	case "private":
		data = key.Private()
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}
