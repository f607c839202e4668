//go:build long

package image_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/test/program"
)

// TestHardwareHasItsFirmware declares microcode and firmware with Debian's own
// packages: the kernel finds the one before everything else in the initrd, and
// the other in /usr.
func TestHardwareHasItsFirmware(t *testing.T) {
	stet := program.Example(t, "minimal")
	text := `name: firmware
debian: {components: [main, non-free-firmware]}
base: minimal
network: {dhcp: false}
kernel: {package: linux-image-cloud-amd64}
packages: [amd64-microcode, intel-microcode, firmware-ath9k-htc]
`
	if err := os.WriteFile(filepath.Join(stet.Dir, "stet.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	stet.Must(t, "lock")
	built := stet.Build(t)

	// cpio(1) stops at the end of the first archive, which is not compressed.
	early := strings.Fields(must(t, "sh", "-c", `cpio --quiet --list < "$0"`, built.Initrd))
	for _, vendor := range []string{"AuthenticAMD", "GenuineIntel"} {
		if name := "kernel/x86/microcode/" + vendor + ".bin"; !slices.Contains(early, name) {
			t.Errorf("the initrd begins with %q, without %s", early, name)
		}
	}
	stet.Must(t, "shell", "--", "sh", "-c", "ls /usr/lib/firmware/ath9k_htc/*.fw")
}
