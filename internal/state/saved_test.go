package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatWasNotKeptIsSaved(t *testing.T) {
	u := Upper{Number: 1, Directory: t.TempDir()}
	for name, text := range map[string]string{
		"motd": "x", "ssh/sshd_config": "x", "ssh/ssh_host_key": "k", "machine-id": "m", "NetworkManager/system-connections/home": "w", "empty/": "",
	} {
		at := filepath.Join(u.Upper(), name)
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		if err == nil && text != "" {
			err = os.WriteFile(at, []byte(text), 0o600)
		} else if err == nil {
			err = os.MkdirAll(at, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	have, latest, err := u.Saved(Policy{Persist: []string{"/etc/ssh/ssh_host_*", "/etc/NetworkManager/system-connections"}})
	if err != nil || time.Since(latest) > time.Minute {
		t.Fatal(latest, err)
	}
	if diff := cmp.Diff([]string{"/etc/empty", "/etc/motd", "/etc/ssh/sshd_config"}, have); diff != "" {
		t.Error(diff)
	}
}

func TestWhatWasChangedSinceIsNotBroughtBack(t *testing.T) {
	untouched, touched := Untouched(
		[]string{"/etc/a", "/etc/b", "/etc/dir/x", "/etc/dirt", "/etc/link"},
		[]string{"/etc/b", "/etc/dir", "/etc/link/now"},
	)
	if diff := cmp.Diff([]string{"/etc/a", "/etc/dirt"}, untouched); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/etc/b", "/etc/dir/x", "/etc/link"}, touched); diff != "" {
		t.Error(diff)
	}
}
