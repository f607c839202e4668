package config

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"stet/internal/mirror/mirrortest"
	"stet/internal/signature"
)

// TestTheGuideIsRight loads every whole configuration that the guide shows.
func TestTheGuideIsRight(t *testing.T) {
	text, err := os.ReadFile("../../docs/guide/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(yaml|cue)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	key, err := signature.Armored(mirrortest.NewKey("example", time.Now().Add(-time.Hour), 0).Public())
	if err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for _, block := range blocks {
		kind, body := block[1], block[2]
		files := []string{"index.html", "hello\n", "hosts", "127.0.0.1 localhost\n", "example.asc", key}
		switch {
		case strings.HasPrefix(body, "module:"):
			files = append(files, "cue.mod/module.cue", body, "keys/people.cue", "package keys\n\n#Ada: {\"ssh-ed25519 AAAA ada\": {}}\n",
				"x.cue", "package stet\n\nimport \"example.org/machines/keys\"\n\nmachines: a: users: ada: ssh_keys: keys.#Ada\n")
		case kind == "cue" && strings.Contains(body, "machines:"):
			files = append(files, "x.cue", body)
		case kind == "cue":
			files = append(files, "x.cue", body, FileName, "name: a\nservices: {backup: {target: /backup}}\n")
		case strings.HasPrefix(body, "name:"):
			files = append(files, FileName, body)
		default:
			files = append(files, FileName, "name: a\n"+body)
		}
		loaded++
		if _, err := Load(context.Background(), repository(t, files...)); err != nil {
			t.Errorf("%v\nin\n%s", err, body)
		}
	}
	if loaded < 4 {
		t.Errorf("the guide shows only %d configurations", loaded)
	}
}

// TestWordsOfDebianAreTaken holds the schema's patterns against names that
// there are.
func TestWordsOfDebianAreTaken(t *testing.T) {
	for option, words := range map[string][]string{
		"hostname: %":                            {"a", "web-1", "web.example.org", "A1"},
		"locale: %":                              {"C.UTF-8", "en_GB.UTF-8", "ca_ES@valencia", "sr_RS@latin", "eo.UTF-8", "ber_DZ.UTF-8"},
		"timezone: %":                            {"Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1", "EST5EDT"},
		"packages: [%]":                          {"g++", "libc6:i386", "0ad", "libstdc++6", "linux-image-6.12.107+deb13-cloud-amd64", "git=1:2.47.3-0+deb13u1"},
		"debian: {suites: [sid]}\npackages: [%]": {"git/sid", "git:i386/sid", "git/sid=1.0", "git/trixie"},
		"debian: {suites: [%]}":                  {"trixie-backports", "trixie-proposed-updates", "experimental", "sid"},
		"debian: {snapshot: %}":                  {"2026-11-01", "2026-11-01T12:30:00Z"},
		"users: {%: {}}":                         {"ada", "_apt", "www-data", "root", "a"},
		"users: {ada: {ssh_keys: [%]}}":          {"ssh-ed25519 AAAAC3Nza+/x== ada@x", "ssh-rsa AAAA", "from=\"10.0.0.0/8\",no-pty ecdsa-sha2-nistp256 AAAA= x y", "sk-ssh-ed25519@openssh.com AAAA"},
		"units: {%: {}}":                         {"a.service", "getty@tty1.service", "dev-disk-by\\x2dlabel-x.mount", "user-1000.slice", "a.b.timer"},
		"sysctl: {%: 1}":                         {"net.ipv4.ip_forward", "net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.conf.*.rp_filter", "kernel.core_pattern"},
		"kernel: {modules: [%]}":                 {"dm_crypt", "virtio-net"},
		"kernel: {parameters: [%]}":              {"quiet", "console=ttyS0,115200n8", "root=UUID=x", "module.param=1"},
		"persist: [%]":                           {"/etc/machine-info", "/etc/ssh/ssh_host_*", "/etc/NetworkManager/system-connections"},
		"files: {%: {text: x}}":                  {"/a", "/etc/a b", "/etc/.x", "/etc/...", "/usr/local/bin/ü", "/home/ada/.config"},
		"files: {/a: {text: x, mode: %}}":        {"0644", "644", "4755", "0000"},
		"health: {%: {port: 80}}":                {"web", "the page", "a.b_c-d"},
		"health: {timeout: %}":                   {"30s", "5m"},
		"health: {a: {unit: %}}":                 {"a.service", "b.mount"},
		"tests: {a: [{run: x, timeout: %}]}":     {"30s", "5m", "1m30s", "500ms", "2h"},
		"debian: {suite: %}":                     {"trixie", "forky", "sid", "bookworm-backports"},
		"debian: {components: [%]}":              {"main", "contrib", "non-free", "non-free-firmware"},
		"units: {a.service: {drop_ins: {%: x}}}": {"10-limits", "override", "a.b"},
	} {
		for _, word := range words {
			text := strings.Replace(option, "%", "'"+word+"'", 1)
			if _, err := Load(context.Background(), repository(t, FileName, "name: a\n"+text+"\n")); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
