package nbd

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	protocol "stet/internal/nbd"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// Disk is the content of a disk: an image, what was written over it and
// flushed, and what is held. Its methods may be called at the same time.
type Disk struct {
	image *os.File
	size  int64

	mu      sync.Mutex
	flushed map[int64][]byte    // sector number to content; contents are never changed
	held    map[int64][]version // what was written to a sector since the last flush, oldest first
	writes  int                 // that were held ever, as their names
	whole   map[int64]int64     // sectors that no cut parts, to the first of them
}

// version is one content of a sector, from one write.
type version struct {
	write int
	data  []byte
}

// Open gives a disk that begins as the raw image at path.
func Open(path string) (*Disk, error) {
	image, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := image.Stat()
	if err == nil && (info.Size() == 0 || info.Size()%sector != 0) {
		err = fmt.Errorf("%s has %d bytes: a disk has a multiple of %d", path, info.Size(), sector)
	}
	if err != nil {
		return nil, errors.Join(err, image.Close())
	}
	return &Disk{image: image, size: info.Size(), flushed: map[int64][]byte{}, held: map[int64][]version{}, whole: map[int64]int64{}}, nil
}

// Size is the number of bytes of the disk.
func (d *Disk) Size() int64 { return d.size }

// check refuses an access beyond the end, or not by whole sectors.
func (d *Disk) check(at int64, n int) error {
	if at < 0 || at%sector != 0 || n%sector != 0 || at > d.size-int64(n) {
		return protocol.ErrOutside
	}
	return nil
}

// ReadAt reads what the guest has written last. It takes any offset and length
// within the disk (io.ReaderAt).
func (d *Disk) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 {
		return 0, protocol.ErrOutside
	}
	if at >= d.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > d.size-at
	if short {
		p = p[:d.size-at]
	}
	if n, err := d.image.ReadAt(p, at); err != nil && (!errors.Is(err, io.EOF) || n < len(p)) {
		return n, fmt.Errorf("read the image: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for number := at / sector; number*sector < at+int64(len(p)); number++ {
		data, ok := d.flushed[number]
		if versions := d.held[number]; len(versions) > 0 {
			data, ok = versions[len(versions)-1].data, true
		}
		if !ok {
			continue
		}
		start := number*sector - at
		copy(p[max(0, start):], data[max(0, -start):])
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

// Write holds data until the next flush, or has it on the disk at once.
func (d *Disk) Write(data []byte, at int64, force bool) error {
	if err := d.check(at, len(data)); err != nil {
		return err
	}
	data = slices.Clone(data)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	for i := 0; i < len(data); i += sector {
		number, content := (at+int64(i))/sector, data[i:i+sector:i+sector]
		if force {
			// What was held for the sector came before, and cannot come after.
			delete(d.held, number)
			d.flushed[number] = content
			continue
		}
		d.held[number] = append(d.held[number], version{d.writes, content})
	}
	return nil
}

// Flush brings to the disk everything that is held.
func (d *Disk) Flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.Copy(d.flushed, newest(d.held))
	d.held = map[int64][]version{}
}

// Whole says that a write of these bytes is never torn between them. ext4 needs
// that of its superblock: its checksum is 508 bytes into the second sector, no
// journal covers it, and the kernel does not mount without.
func (d *Disk) Whole(at, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for number := at / sector; number*sector < at+n; number++ {
		d.whole[number] = at / sector
	}
}

// Clone gives a disk of its own with the same content, flushed and held.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := make(map[int64][]version, len(d.held))
	for number, versions := range d.held {
		held[number] = slices.Clone(versions)
	}
	return &Disk{image: d.image, size: d.size, flushed: maps.Clone(d.flushed), held: held, writes: d.writes, whole: maps.Clone(d.whole)}
}

// Loss says what became of what was held when the power was cut.
type Loss struct {
	Seed              uint64
	Writes            int // that were held
	Kept, Torn, Gone  int // writes that reached the disk whole, in part, not at all
	Sectors, Survived int
}

func (l Loss) String() string {
	return fmt.Sprintf("seed %d: of %d unflushed writes %d reached the disk, %d in part, %d not; %d of %d sectors",
		l.Seed, l.Writes, l.Kept, l.Torn, l.Gone, l.Survived, l.Sectors)
}

// fate is what becomes of a held write.
type fate int

const (
	kept fate = iota
	torn
	gone
)

// Cut is a power cut: what is held reaches the disk, or not, by the seed. How
// much does is part of the lot: from everything to nothing.
func (d *Disk) Cut(seed uint64) Loss {
	d.mu.Lock()
	defer d.mu.Unlock()
	dice := rand.New(rand.NewPCG(seed, 0))
	loss := Loss{Seed: seed}
	survival := dice.Float64()
	fates := map[int]fate{}
	numbers := slices.Sorted(maps.Keys(d.held))
	for _, number := range numbers {
		for _, v := range d.held[number] {
			fates[v.write] = gone
		}
	}
	for _, write := range slices.Sorted(maps.Keys(fates)) {
		switch chance := dice.Float64(); {
		case chance < survival*0.6:
			fates[write], loss.Kept = kept, loss.Kept+1
		case chance < survival:
			fates[write], loss.Torn = torn, loss.Torn+1
		default:
			loss.Gone++
		}
	}
	loss.Writes = len(fates)
	type part struct {
		write int
		first int64
	}
	whole := map[part]bool{}
	survives := func(number int64, write int) bool {
		if fates[write] != torn {
			return fates[write] == kept
		}
		first, together := d.whole[number]
		if !together {
			return dice.IntN(2) == 0
		}
		if _, decided := whole[part{write, first}]; !decided {
			whole[part{write, first}] = dice.IntN(2) == 0
		}
		return whole[part{write, first}]
	}
	for _, number := range numbers {
		loss.Sectors++
		survived := false
		for _, v := range d.held[number] {
			if survives(number, v.write) {
				d.flushed[number], survived = v.data, true
			}
		}
		if survived {
			loss.Survived++
		}
	}
	d.held = map[int64][]version{}
	return loss
}

// Save writes the disk to a raw image at path, with what is held; holes stay
// holes.
func (d *Disk) Save(path string) error { return d.SavePart(path, 0, d.size) }

// SavePart is Save of a part, such as a partition, by whole sectors.
func (d *Disk) SavePart(path string, from, size int64) (err error) {
	if err := d.check(from, int(size)); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := out.Truncate(size); err != nil {
		return err
	}
	for at := from; at < from+size; {
		start, end, err := dataFrom(d.image, at)
		if err != nil {
			return fmt.Errorf("save the disk: %w", err)
		}
		if end = min(end, from+size); start >= end {
			break
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, start-from), io.NewSectionReader(d.image, start, end-start)); err != nil {
			return fmt.Errorf("save the disk: %w", err)
		}
		at = end
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, written := range []map[int64][]byte{d.flushed, newest(d.held)} {
		for number, data := range written {
			if at := number*sector - from; at >= 0 && at < size {
				if _, err := out.WriteAt(data, at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// newest gives the last version of each sector.
func newest(held map[int64][]version) map[int64][]byte {
	out := make(map[int64][]byte, len(held))
	for number, versions := range held {
		out[number] = versions[len(versions)-1].data
	}
	return out
}

// dataFrom gives the first run of data of a file at or after an offset; an empty
// one when there is none.
func dataFrom(file *os.File, at int64) (start, end int64, err error) {
	start, err = file.Seek(at, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, 0, nil
	}
	if err == nil {
		end, err = file.Seek(start, unix.SEEK_HOLE)
	}
	return start, end, err
}
