package state

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestBothWaysOfJSONAgree holds what stet-init reads and writes without reflection
// against encoding/json, by which others have the same records in theirs.
func TestBothWaysOfJSONAgree(t *testing.T) {
	for _, boot := range []Boot{
		{Format: 1, Machine: "hello", System: "d", Images: map[string]string{}},
		{
			Format: 1, Machine: "hello", System: "d", Generation: 7, Store: "/dev/vda3",
			Images: map[string]string{"usr": "a", "etc": "b"}, Upper: 3, InitrdUsec: 1 << 40,
			Problems: []string{"\"quoted\"\n<and> é", "two"},
		},
	} {
		agree(t, boot, boot.Bytes(), ParseBoot)
	}
	for _, policy := range []Policy{
		{Format: 1},
		{Format: 1, Persist: []string{"/etc/ssh/ssh_host_*"}, Users: map[string][]string{"ada": {"password", "shell"}}},
	} {
		agree(t, policy, policy.bytes(), ParsePolicy)
	}
}

// agree holds that encoding/json reads text, and parse what encoding/json writes.
func agree[T any](t *testing.T, value T, text []byte, parse func([]byte) (T, error)) {
	t.Helper()
	var got T
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("encoding/json reads %+v, %v of\n%s", got, err, text)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = parse(text); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("read %+v, %v of %s", got, err, text)
	}
}

func TestParseBootRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                               "read /run/stet/boot.json: JSON, byte 1: no name of a member",
		`{"format":2}`:                    "/run/stet/boot.json has format 2; this Stet knows 1",
		`{"format":1,"images":{"usr":1}}`: "read /run/stet/boot.json: usr is no text",
		`{"format":1,"images":[]}`:        "read /run/stet/boot.json: images is no object",
		`{"format":1,"machine":1}`:        "read /run/stet/boot.json: machine is no text",
		`{"format":1,"upper":"x"}`:        "read /run/stet/boot.json: upper is no whole number",
		`{"format":1,"initrd_usec":0.5}`:  "read /run/stet/boot.json: initrd_usec is no whole number",
		`{"format":1,"problems":"x"}`:     "read /run/stet/boot.json: problems is no array",
	} {
		if _, err := ParseBoot([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
