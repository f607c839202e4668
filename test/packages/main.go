// Command packages fetches a Packages index as an archive has it, verified down
// from the signed Release, and writes it decompressed. Stet itself keeps only
// what it read of an index; apt and dose, the oracles of the solver, want all.
//
//	go run ./test/packages SUITE COMPONENT ARCHITECTURE FILE
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"stet/internal/debian"
	"stet/internal/mirror"
)

// maxIndex bounds what is fetched and what comes out; trixie's main has 57 MB.
const maxIndex = 1 << 30

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: packages SUITE COMPONENT ARCHITECTURE FILE")
		os.Exit(2)
	}
	if err := fetch(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}

func fetch(ctx context.Context, suite, component, architecture, to string) error {
	cache, err := os.MkdirTemp("", "stet-packages-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	client, err := mirror.New(mirror.Options{
		Sources: mirror.Sources{Environment: os.Getenv("STET_MIRROR"), Host: os.DirFS("/"), Snapshot: mirror.SnapshotURL},
		Cache:   cache,
	})
	if err != nil {
		return err
	}
	release, err := client.Release(ctx, mirror.Archive{Name: "debian", Suite: suite}, time.Now())
	if err != nil {
		return err
	}
	file, ok := release.File(component + "/binary-" + architecture + "/Packages.xz")
	if !ok {
		return fmt.Errorf("suite %s has no %s for %s", suite, component, architecture)
	}
	packed, err := get(ctx, release.URL+"/dists/"+suite+"/", file)
	if err != nil {
		return err
	}
	plain, err := debian.OpenCompressed(file.Path, bytes.NewReader(packed), int64(len(packed)), maxIndex, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	defer plain.Close()
	text, err := io.ReadAll(plain)
	if err != nil {
		return fmt.Errorf("decompress %s: %w", file.Path, err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// get fetches a file that a Release names. The name by hash is there even while
// the archive moves.
func get(ctx context.Context, dir string, file debian.ReleaseFile) ([]byte, error) {
	if path, local := strings.CutPrefix(dir, "file://"); local {
		data, err := os.ReadFile(path + file.Path)
		return verified(data, file, err)
	}
	var last error
	for _, name := range []string{file.ByHash(), file.Path} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, dir+name, nil)
		if err != nil {
			return nil, err
		}
		response, err := mirror.NewHTTPClient(nil).Do(request)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(response.Body, file.Size+1))
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			last = fmt.Errorf("%s%s: the server says %q", dir, name, response.Status)
			continue
		}
		return verified(data, file, err)
	}
	return nil, last
}

func verified(data []byte, file debian.ReleaseFile, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); int64(len(data)) != file.Size || hex.EncodeToString(sum[:]) != file.SHA256 {
		return nil, fmt.Errorf("%s is not what the Release names", file.Path)
	}
	return data, nil
}
