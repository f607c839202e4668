//go:build long

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/fault"
	"stet/internal/vm"
	"stet/test/chance"
	"stet/test/guest"
	"stet/test/nbd"
)

// bootTime is what one boot may take on a busy host, by firmware, loader and an
// emulated processor.
const bootTime = 10 * time.Minute

// machine runs on a disk that loses what was not flushed.
type machine struct {
	*guest.Machine
	disk *nbd.Disk
}

// switchOn boots a disk by its firmware, with the images in more as further ones.
func (h *host) switchOn(t *testing.T, disk *nbd.Disk, more ...string) *machine {
	t.Helper()
	firmware, err := vm.OVMF()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, disk, vm.Config{Firmware: &firmware, MoreDisks: more, CommandLine: "panic=1"})
}

func start(t *testing.T, disk *nbd.Disk, c vm.Config) *machine {
	t.Helper()
	server, err := nbd.Serve(t.TempDir(), disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	c.Name, c.Disk, c.DiskSerial, c.RunDirectory = "crash", server.URL(), "disk", t.TempDir()
	started, err := vm.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := started.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			lines := strings.Split(strings.TrimSpace(string(started.SerialLog())), "\n")
			t.Logf("the console's last lines:\n%s", strings.Join(lines[max(0, len(lines)-60):], "\n"))
		}
	})
	return &machine{&guest.Machine{VM: started}, disk}
}

// arrives waits until a boot is over and was judged, and gives its generation.
func (m *machine) arrives(t *testing.T) (number int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	line := `test "$(systemctl list-jobs --no-legend)" = "" && systemctl is-active -q boot-complete.target && sed 's/.*stet.generation=\([0-9]*\).*/\1/' /proc/cmdline`
	for {
		brief, done := context.WithTimeout(ctx, time.Minute)
		result, err := m.Exec(brief, vm.Shell(line))
		done()
		if err == nil && result.ExitStatus == 0 {
			if _, err := fmt.Sscan(string(result.Stdout), &number); err != nil {
				t.Fatal(err)
			}
			return number
		}
		if errors.Is(err, vm.ErrOff) {
			t.Fatal(err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			t.Fatalf("it did not come up: %v %+v", err, result)
		}
	}
}

// while takes clones of the disk at n random moments of what a function does, which
// lasts about so long.
func (m *machine) while(dice *rand.Rand, n int, lasts time.Duration, do func()) (clones []*nbd.Disk) {
	between := lasts / time.Duration(2*n) // there may be fewer, and are chosen from when there are more
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	for {
		select {
		case <-done:
			return chance.Some(dice, clones, n)
		case <-time.After(time.Duration(dice.Int64N(int64(2 * between)))):
			clones = append(clones, m.disk.Clone())
		}
	}
}

// halts runs stet in the guest until it stands still at a point, gives the disk as
// it is then, and kills it; nil when it never came there, and has done its work.
func (m *machine) halts(t *testing.T, p fault.Point, command string) *nbd.Disk {
	t.Helper()
	before := strings.Count(string(m.SerialLog()), fault.Message(p))
	type end struct {
		result *vm.Result
		err    error
	}
	ended := make(chan end, 1)
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	go func() {
		result, err := m.Exec(ctx, vm.Shell(fmt.Sprintf("STET_FAULT=%q %s", string(p)+":halt", command)))
		ended <- end{result, err}
	}()
	for {
		select {
		case e := <-ended:
			if e.err != nil || e.result.ExitStatus != 0 {
				t.Fatalf("%s: %s: %v %+v", p, command, e.err, e.result)
			}
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		if strings.Count(string(m.SerialLog()), fault.Message(p)) > before {
			stood := m.disk.Clone()
			m.Run(t, "kill -9 $(pidof stet)")
			<-ended
			return stood
		}
	}
}

// stands waits until the machine says that it stands still at a point.
func (m *machine) stands(t *testing.T, p fault.Point) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	for !strings.Contains(string(m.SerialLog()), fault.Message(p)) {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-m.Done():
			t.Fatalf("it went off before %q", p)
		case <-ctx.Done():
			t.Fatalf("it did not come to %q", p)
		}
	}
}

// cut is a disk after a power cut, and what it may start.
type cut struct {
	when    string
	disk    *nbd.Disk
	loss    nbd.Loss
	systems []string
}

// cutPower cuts the power of a clone.
func cutPower(t *testing.T, when string, clone *nbd.Disk, seed uint64, systems ...string) cut {
	loss := clone.Cut(seed)
	t.Logf("%s: %s", when, loss)
	return cut{when, clone, loss, systems}
}

// holds examines what a cut has left.
func (c cut) holds(t *testing.T, h *host) {
	t.Run(strings.ReplaceAll(c.when, " ", "_"), func(t *testing.T) {
		left := examine(t, h.Program, c.disk, c.loss)
		if system, number := starts(t, left.esp, left.store); !slices.Contains(c.systems, system) {
			t.Errorf("%s: the boot loader would start generation %d, system %.12s, want one of %.12s", c.loss, number, system, c.systems)
		}
	})
}

// isWhole examines the disk of a machine that runs: reading all of it takes a
// processor that nobody emulates seconds.
func (m *machine) isWhole(t *testing.T, h *host) {
	t.Helper()
	m.Run(t, "sync")
	examine(t, h.Program, m.disk.Clone(), nbd.Loss{})
}

// sent gives a disk that has a system as `stet send` writes it.
func (h *host) sent(t *testing.T) (image string) {
	t.Helper()
	dir := t.TempDir()
	image = filepath.Join(dir, "sent.ext4")
	h.Must(t, "send", "--to", filepath.Join(dir, "sent"))
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-d", filepath.Join(dir, "sent"), image, "600M").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(dir, "sent")); err != nil {
		t.Fatal(err)
	}
	return image
}

// TestPowerCuts is one machine's life: its first boot, a system that arrives and is
// staged, another one, a collection. The power is cut at every point and at random
// moments: of each a clone of the disk is what a cut would have left, and the
// machine goes on. Some of them are booted in the end.
func TestPowerCuts(t *testing.T) {
	n := chance.Rounds(t, 6)
	dice := chance.Dice(t)

	h := newWarmHost(t)
	h.declare(t, "first")
	first := h.Build(t).Digest
	image := filepath.Join(t.TempDir(), "disk.raw")
	h.Must(t, "image", "-o", image)
	h.declare(t, "second")
	second, secondDisk := h.Build(t).Digest, h.sent(t)
	h.declare(t, "third")
	third, thirdDisk := h.Build(t).Digest, h.sent(t)

	m := h.switchOn(t, plugIn(t, image), secondDisk, thirdDisk)
	begin := time.Now()
	clones := m.while(dice, n, 20*time.Second, func() { m.arrives(t) })
	t.Logf("the first boot took %.0f s", time.Since(begin).Seconds())
	for i, clone := range clones {
		cutPower(t, fmt.Sprintf("first boot %d", i), clone, dice.Uint64(), first).holds(t, h)
	}

	// The end of a good boot, once more.
	m.Run(t, "rm /stet/generations/1/good && mv /efi/loader/entries/stet-1.conf /efi/loader/entries/stet-1+2-1.conf && sync")
	for _, p := range []fault.Point{fault.GenerationMarked, fault.EntryBlessed} {
		stood := m.halts(t, p, "stet assess good")
		if stood == nil {
			t.Fatalf("stet assess did not come to %q", p)
		}
		cutPower(t, string(p), stood, dice.Uint64(), first).holds(t, h)
	}
	m.Run(t, "stet assess good")

	m.Run(t, "mkdir /run/second /run/third && mount -o ro /dev/disk/by-id/virtio-disk2 /run/second && mount -o ro /dev/disk/by-id/virtio-disk3 /run/third")
	var boots []cut
	reached := map[fault.Point]bool{}
	for _, p := range where["TestPowerCuts"] {
		stood := m.halts(t, p, "stet boot --from /run/second")
		if stood == nil {
			continue
		}
		reached[p] = true
		c := cutPower(t, string(p), stood, dice.Uint64(), first, second)
		c.holds(t, h)
		if p == fault.EntryPlaced || p == fault.EntryHidden {
			boots = append(boots, c)
		}
	}
	for _, p := range []fault.Point{fault.ObjectWritten, fault.StoreSynced, fault.SystemPublished, fault.GenerationPrepared, fault.GenerationRecorded, fault.EntryHidden, fault.EntryPlaced} {
		if !reached[p] {
			t.Errorf("stet boot did not come to %q", p)
		}
	}
	m.Run(t, "stet boot --from /run/second")

	clones = m.while(dice, n, time.Second, func() { m.Run(t, "stet boot --from /run/third") })
	for i, clone := range clones {
		c := cutPower(t, fmt.Sprintf("staging %d", i), clone, dice.Uint64(), second, third)
		c.holds(t, h)
		boots = append(boots, c)
	}

	// In the order in which it comes there: each goes on where the last one stood.
	for _, p := range []fault.Point{fault.EntryRemoved, fault.RecordRemoved, fault.ObjectRemoved, fault.UpperRemoved} {
		if stood := m.halts(t, p, "stet gc --keep 1"); stood != nil {
			reached[p] = true
			cutPower(t, string(p), stood, dice.Uint64(), third).holds(t, h)
		}
	}
	for _, p := range []fault.Point{fault.RecordRemoved, fault.EntryRemoved, fault.ObjectRemoved} {
		if !reached[p] {
			t.Errorf("stet gc did not come to %q", p)
		}
	}
	clones = m.while(dice, n, time.Second, func() { m.Run(t, "stet gc --keep 1") })
	for i, clone := range clones {
		cutPower(t, fmt.Sprintf("collecting %d", i), clone, dice.Uint64(), third).holds(t, h)
	}
	m.isWhole(t, h)

	// What is booted next needs the disks that this one has.
	if err := m.Crash(); err != nil {
		t.Fatal(err)
	}
	for i, c := range chance.Some(dice, boots, 1+n/10) {
		t.Run(fmt.Sprintf("boots after %s (%d)", c.when, i), func(t *testing.T) {
			t.Log(c.loss)
			m := h.switchOn(t, c.disk, secondDisk, thirdDisk)
			number := m.arrives(t)
			system := strings.TrimSpace(m.Run(t, "cat /run/stet/system"))
			if !slices.Contains(c.systems, system) {
				t.Errorf("generation %d runs system %.12s, want one of %.12s", number, system, c.systems)
			}
			m.isWhole(t, h)
			m.Run(t, "mkdir /run/third && mount -o ro /dev/disk/by-id/virtio-disk3 /run/third && stet boot --from /run/third && stet gc")
			m.isWhole(t, h)
		})
	}
}

// TestPowerCutsWhileBooting cuts the power at as many points of stet-init as there are
// rounds, in the first boot of an image on a disk that is larger: 5 have every point.
func TestPowerCutsWhileBooting(t *testing.T) {
	n := chance.Rounds(t, 5)
	dice := chance.Dice(t)
	h := newWarmHost(t)
	built := h.Build(t)
	image := filepath.Join(t.TempDir(), "disk.raw")
	h.Must(t, "image", "-o", image)
	if info, err := os.Stat(image); err != nil || os.Truncate(image, info.Size()+256<<20) != nil {
		t.Fatal(err)
	}
	var cuts []cut
	for _, p := range chance.Some(dice, where["TestPowerCutsWhileBooting"], n) {
		t.Run(strings.ReplaceAll(string(p), " ", "_"), func(t *testing.T) {
			m := start(t, plugIn(t, image), vm.Config{
				Kernel: built.Kernel, Initrd: built.Initrd,
				CommandLine: fmt.Sprintf(`console=ttyS0 panic=1 stet.system=%s stet.generation=1 stet.fault="%s:halt"`, built.Digest, p),
			})
			m.stands(t, p)
			c := cutPower(t, string(p), m.disk.Clone(), dice.Uint64(), built.Digest)
			c.holds(t, h)
			cuts = append(cuts, c)
		})
	}
	for _, c := range chance.Some(dice, cuts, 1) {
		t.Logf("boots after %s, %s", c.when, c.loss)
		m := h.switchOn(t, c.disk)
		m.arrives(t)
		m.isWhole(t, h)
		// What was not grown is grown now.
		m.Run(t, "test $(df --output=size -k /stet | tail -1) -gt $((2000 * 1024))")
	}
}
