package cli

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"stet/internal/mirror"
	"stet/internal/namespace"
	"stet/internal/signature"
)

// Environment is all that commands know of the world around them.
type Environment struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Dir    string // the working directory, absolute
	Getenv func(string) string
	Now    func() time.Time
	User   int // effective id of who runs it; 0 is root

	// Root is the root of this machine's own files; empty stands for "/".
	Root string
	// Keys are the archive keys that are trusted; nil stands for Debian's,
	// which are embedded.
	Keys *signature.Keyring
	// Host is the root of the host, for its APT sources; nil stands for none.
	Host fs.FS
	// Enter lets an ordinary user build: it may run the program again instead of
	// returning. nil stands for nothing to do.
	Enter func() error
	// Patience is how long maintainer scripts may show no sign of life; 0 stands
	// for what is right on every machine.
	Patience time.Duration
	// Snapshot is the base URL of the snapshot service; empty stands for none.
	Snapshot string
}

// Main runs stet with the process's own arguments and environment, and gives
// the exit code. The first interrupt cancels the work, a second one kills.
func Main() int {
	DelayCollection()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	return Run(ctx, Environment{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Dir: dir, Getenv: os.Getenv, Now: time.Now, User: os.Geteuid(),
		Host: os.DirFS("/"), Snapshot: mirror.SnapshotURL, Enter: namespace.Enter,
	}, os.Args[1:])
}
