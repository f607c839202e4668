//go:build long

package long_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stet/internal/sandbox"
	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// A machine whose clock says 2031, with another kernel under it and no network,
// builds the system that it is itself.
func TestBuildInAnotherYear(t *testing.T) {
	stet := program.Example(t, "minimal")
	machine := guest.Start(t, stet, func(c *vm.Config) {
		c.Clock = time.Date(2031, 5, 4, 3, 2, 1, 0, time.UTC)
		c.Memory = 2048
	})
	machine.Booted(t)
	if year := machine.Run(t, "date +%Y"); year != "2031" {
		t.Fatalf("in the machine it is %s", year)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Minute)
	defer cancel()
	begin := time.Now()
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(pack(t, stet, writer)) }()
	if err := machine.WriteFile(ctx, "/var/tmp/in.tar", 0o600, reader); err != nil {
		t.Fatal(err)
	}
	machine.Run(t, "mkdir /var/tmp/in && tar -xf /var/tmp/in.tar -C /var/tmp/in && rm /var/tmp/in.tar")
	t.Logf("brought the packages in after %.0f s", time.Since(begin).Seconds())

	begin = time.Now()
	result, err := machine.Exec(ctx, vm.Shell("cd /var/tmp/in/minimal && STET_STORE=/var/tmp/in/store exec unshare --net stet build --json"))
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitStatus != 0 {
		t.Fatalf("stet build ended with %d\n%s%s", result.ExitStatus, result.Stdout, result.Stderr)
	}
	t.Logf("built in %.0f s", time.Since(begin).Seconds())
	var built program.Built
	if err := json.Unmarshal(result.Stdout, &built); err != nil {
		t.Fatal(err)
	}
	if built.Digest != machine.Built.Digest || built.Reused {
		t.Errorf("in 2031 the system is %s, not %s", built.Digest, machine.Built.Digest)
	}
	for name, outside := range machine.Built.Images {
		content, err := machine.ReadFile(ctx, built.Images[name])
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(outside)
		if err != nil {
			t.Fatal(err)
		}
		if string(content) != string(want) {
			t.Errorf("the %s image differs", name)
		}
	}
}

// pack writes the repository, and a store with the fetched packages, as a tar.
func pack(t *testing.T, stet program.Program, w io.Writer) error {
	archive := tar.NewWriter(w)
	add := func(name, from string) error {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err = archive.Write(data)
		return err
	}
	files, err := filepath.Glob(filepath.Join(stet.Dir, "stet.*"))
	if err != nil || len(files) == 0 {
		return errors.Join(err, errors.New("the repository is empty"))
	}
	for _, file := range files {
		if err := add("minimal/"+filepath.Base(file), file); err != nil {
			return err
		}
	}
	for _, p := range program.ReadLock(t, stet.Dir).Packages {
		if p.Synthetic {
			continue
		}
		from := program.Deb(stet.Store(t), p)
		if err := add("store/mirror/debs/"+filepath.Base(from), from); err != nil {
			return err
		}
	}
	return archive.Close()
}
