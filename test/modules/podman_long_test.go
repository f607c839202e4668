//go:build long

package modules_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// served is what the container runs.
const served = `package main

import (
	"net/http"
	"os"
)

func main() {
	panic(http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(os.Args[1] + " " + os.Getenv("WORD") + "\n"))
	})))
}
`

// container is a machine with one, whose registry it is itself; and with Wi-Fi, whose
// radios are the kernel's own make-believe.
const container = `name: minimal
base: minimal
kernel: {package: linux-image-amd64, parameters: [console=ttyS0]}
network: {dhcp: false, wifi: {country: DE}}
services:
  nginx:
    sites:
      default:
        root: /srv/registry
        listen: 5000
        extra: "location ~ /manifests/ { types { } default_type application/vnd.oci.image.manifest.v1+json; }"
  podman:
    containers:
      web:
        image: "localhost:5000/web@sha256:%s"
        exec: [/server, "100%% of $HOME"]
        environment: {WORD: "it's"}
        publish_port: ["127.0.0.1:8088:8080"]
        volume: ["/srv/data:/data:ro"]
        read_only: true
        drop_capability: [ALL]
        extra_unit: "[Unit]\nAfter=nginx.service"
files:
  /srv/data: {directory: true}
  /etc/modules-load.d/radio.conf: {text: "mac80211_hwsim\n"}
  /etc/containers/registries.conf.d/local.conf: {text: "[[registry]]\nlocation = \"localhost:5000\"\ninsecure = true\n"}
  /srv/registry/v2/index.html: {text: "{}"}
`

// image writes an image with one static program as a registry has it, and gives its
// digest.
func image(t *testing.T, registry string) (digest string) {
	t.Helper()
	source, binary := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(source, []byte(served), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	put := func(kind string, content []byte) map[string]any {
		sum := fmt.Sprintf("%x", sha256.Sum256(content))
		dir := filepath.Join(registry, kind)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sha256:"+sum), content, 0o644); err != nil {
			t.Fatal(err)
		}
		return map[string]any{"digest": "sha256:" + sum, "size": len(content)}
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, header := range []*tar.Header{
		{Name: "data/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "server", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))},
	} {
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := func(v any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	// https://github.com/opencontainers/image-spec: manifest.md, config.md
	typed := func(d map[string]any, kind string) map[string]any {
		d["mediaType"] = "application/vnd.oci.image." + kind
		return d
	}
	files := typed(put("blobs", layer.Bytes()), "layer.v1.tar")
	config := typed(put("blobs", text(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []any{files["digest"]}},
	})), "config.v1+json")
	manifest := put("manifests", text(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []any{files},
	}))
	return manifest["digest"].(string)[len("sha256:"):]
}

// TestAContainerRuns has an image pinned by its digest fetched from a registry, and
// run as a unit.
func TestAContainerRuns(t *testing.T) {
	p := program.Example(t, "minimal")
	registry := filepath.Join(p.Dir, "web")
	text := fmt.Sprintf(container, image(t, registry))
	files, err := filepath.Glob(filepath.Join(registry, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, err := filepath.Rel(p.Dir, file)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("  \"/srv/registry/v2/%s\": {source: \"./%[1]s\"}\n", name)
	}
	if err := os.WriteFile(filepath.Join(p.Dir, "stet.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Must(t, "lock")
	m := guest.Start(t, p, func(c *vm.Config) { c.Memory = 2048 })
	if state := m.Booted(t); state != "running" {
		t.Errorf("the machine is %s\n%s", state, m.Run(t, "systemctl --failed --no-legend --plain; journalctl -b -p warning --no-pager"))
	}
	const patiently = "timeout 300 sh -c 'until systemctl is-active -q web; do sleep 1; done' || { podman images --digests; journalctl -b --no-pager -u web -u nginx; exit 1; }"
	m.Run(t, patiently)
	for _, c := range []struct{ what, line, want string }{
		{"it is a unit", "systemctl is-active web.service", "active"},
		{"it serves, with its words and variables as they were written", `bash -c 'exec 3<>/dev/tcp/127.0.0.1/8088 && printf "GET / HTTP/1.0\r\n\r\n" >&3 && tail -n 1 <&3'`, "100% of $HOME it's"},
		{"it can do no more than it needs", "podman inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.SecurityOpt}} {{.EffectiveCaps}}' web", "true [no-new-privileges] []"},
		{"it starts again", "podman kill web >/dev/null && timeout 60 sh -c 'until systemctl is-active -q web && [ \"$(systemctl show --value --property=NRestarts web)\" = 1 ]; do sleep 1; done' && systemctl is-active web", "active"},
		{"Wi-Fi is waiting for a network", "systemctl is-active iwd && grep -o 'Country=.*' /etc/iwd/main.conf", "active\nCountry=DE"},
		{"it has seen the radios", "timeout 60 sh -c 'until iwctl device list | grep -q wlan1; do sleep 1; done' && ls /sys/class/ieee80211", "phy0\nphy1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if have := m.Run(t, c.line); have != c.want {
				t.Errorf("%s\nhave %s\nwant %s", c.line, have, c.want)
			}
		})
	}
}
