package disk

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/internal/progress"
	"stet/internal/store"
)

// poured has a store's objects written by a stand-in for debugfs(8), and gives the
// commands.
func poured(t *testing.T, s *store.Store, objects []store.Object, debugfs func(command string, said io.Writer) error) ([]string, error) {
	t.Helper()
	var commands []string
	p := pourer{store: s, report: progress.Func(func(progress.Event) {}), dir: t.TempDir()}
	err := p.pour(t.Context(), "sif /images/x flags 0x180000\n", objects, func(_ context.Context, from *os.File, said io.Writer, files []*os.File) error {
		fmt.Fprintln(said, "debugfs 1.47.2 (1-Jan-2025)")
		lines := bufio.NewScanner(from)
		for lines.Scan() {
			command := lines.Text()
			fmt.Fprintf(said, "debugfs: %s\n", command)
			if source, ok := strings.CutPrefix(command, "write "); ok {
				source, name, _ := strings.Cut(source, " ")
				size, err := sizeOf(p.dir, source, files)
				if err != nil {
					return err
				}
				command = fmt.Sprintf("write %d %s", size, name)
			}
			commands = append(commands, command)
			if err := debugfs(command, said); err != nil {
				return err
			}
		}
		return lines.Err()
	})
	left, _ := filepath.Glob(p.dir + "/*")
	if err == nil && len(left) > 0 {
		t.Errorf("%q stay", left)
	}
	return commands, err
}

// sizeOf is the size of a slot where debugfs sees it.
func sizeOf(dir, seen string, files []*os.File) (int64, error) {
	at := filepath.Join(dir, filepath.Base(seen))
	var number int
	if _, err := fmt.Sscanf(seen, "/dev/fd/%d", &number); err == nil {
		at = fmt.Sprintf("/proc/self/fd/%d", files[number-3].Fd())
	}
	info, err := os.Stat(at)
	if err != nil {
		return 0, err
	}
	if info.Mode() != objectMode {
		return 0, fmt.Errorf("%s has mode %v", seen, info.Mode())
	}
	return info.Size(), nil
}

func manyObjects(t *testing.T) (*store.Store, []store.Object) {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var objects []store.Object
	for i := range 5 * slots {
		size := 100
		if i%7 == 0 {
			size = smallObject + i
		}
		d, err := s.PutBytes([]byte(strings.Repeat(string(rune('a'+i%26)), size+i)))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, store.Object{Digest: d, Size: int64(size + i)})
	}
	return s, objects
}

func inSilence(string, io.Writer) error { return nil }

func TestObjectsArePouredInTheirOrder(t *testing.T) {
	s, objects := manyObjects(t)
	have, err := poured(t, s, objects, inSilence)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(objects)
	again, err := poured(t, s, objects, func(command string, said io.Writer) error {
		if strings.HasPrefix(command, "write ") {
			fmt.Fprintln(said, "Allocated inode: 12")
		}
		return nil
	})
	if err != nil || !slices.Equal(have, again) {
		t.Errorf("another order gives other commands: %v", err)
	}
	written, sealed := 0, 0
	for _, command := range have {
		var size int64
		var name string
		switch n, _ := fmt.Sscanf(command, "write %d %s", &size, &name); {
		case n == 2:
			written++
			if size < 64<<10 { // the metadata begins at the next multiple
				t.Errorf("%s: there is no metadata", command)
			}
		case strings.HasSuffix(command, " flags 0x180000"):
			sealed++
		}
	}
	if written != len(objects) || sealed != len(objects)+1 || have[0] != "sif /images/x flags 0x180000" {
		t.Errorf("%d objects: %d written, %d sealed, first %q", len(objects), written, sealed, have[0])
	}
}

func TestPouringThatFails(t *testing.T) {
	s, objects := manyObjects(t)
	for name, c := range map[string]struct {
		debugfs func(command string, said io.Writer) error
		want    string
	}{
		"debugfs complains": {func(command string, said io.Writer) error {
			if strings.HasPrefix(command, "write ") {
				fmt.Fprintln(said, "do_write_internal: Could not allocate block in ext2 filesystem")
			}
			return nil
		}, "debugfs says: do_write_internal: Could not allocate block"},
		"debugfs fails":         {func(string, io.Writer) error { return fmt.Errorf("killed") }, "killed"},
		"debugfs ends too soon": {func(string, io.Writer) error { return io.EOF }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := poured(t, s, objects, c.debugfs); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %v, want %s", err, c.want)
			}
		})
	}
	damaged := s.ObjectPath(objects[20].Digest)
	if err := os.Remove(damaged); err != nil {
		t.Fatal(err)
	}
	if _, err := poured(t, s, objects, inSilence); err == nil || !strings.Contains(err.Error(), damaged) {
		t.Errorf("an object is missing: %v", err)
	}
	if err := os.WriteFile(damaged, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := poured(t, s, objects, inSilence); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("an object is damaged: %v", err)
	}
}
