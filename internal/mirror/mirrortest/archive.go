package mirrortest

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"stet/internal/debian"
	"stet/internal/mirror"
	"stet/internal/signature"
)

// Archive is one suite of one archive, which may be a repository of its own.
// One whose Suite ends in "/" is flat, and one of the name debian-security
// names its components as Debian's does. Its fields may be changed until its
// files are made, which Serve, Write and Files do.
type Archive struct {
	Name          string // "debian"
	Suite         string // also its code name
	Components    []string
	Architectures []string
	Date          time.Time // of the Release
	Signed        time.Time // zero stands for Date
	ValidUntil    time.Time // zero leaves the field out
	ByHash        bool      // Acquire-By-Hash
	Key           *Key      // signs the Release
	Hash          crypto.Hash

	NotAutomatic bool // as experimental, and backports
	Upgrades     bool // ButAutomaticUpgrades, as backports
	Detached     bool // Release and Release.gpg, no InRelease

	pool map[string]pooled // by path
}

type pooled struct {
	component string
	stanza    string // of the Packages index
	deb       mirror.Deb
	bytes     []byte
}

// New makes an empty archive like Debian's main one: component main, amd64,
// by-hash, a Release of an hour before now, and a new key.
func New(suite string, now time.Time) *Archive {
	return &Archive{
		Name: "debian", Suite: suite,
		Components: []string{"main"}, Architectures: []string{"amd64"},
		Date: now.Add(-time.Hour).Truncate(time.Second), ByHash: true,
		Key: NewKey("test archive", now.Add(-24*time.Hour), 0), Hash: crypto.SHA256,
		pool: map[string]pooled{},
	}
}

// Add puts packages into the first component, and gives them as a lock would
// name them.
func (a *Archive) Add(debs ...Deb) []mirror.Deb {
	return a.AddTo(a.Components[0], debs...)
}

// Forget takes a package out again, as an archive does when it has a newer one.
func (a *Archive) Forget(d mirror.Deb) { delete(a.pool, d.Path) }

// AddTo puts packages into a component, which becomes one of the archive's.
func (a *Archive) AddTo(component string, debs ...Deb) []mirror.Deb {
	if !slices.Contains(a.Components, component) {
		a.Components = append(a.Components, component)
	}
	added := make([]mirror.Deb, 0, len(debs))
	for _, d := range debs {
		d = d.withDefaults()
		added = append(added, a.putInto(component, d.control(), d.Name, d.Version, d.Architecture, d.Bytes()))
	}
	return added
}

// AddFile puts a real .deb into the first component.
func (a *Archive) AddFile(name string) (mirror.Deb, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return mirror.Deb{}, err
	}
	deb, err := debian.OpenDeb(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return mirror.Deb{}, fmt.Errorf("read %s: %w", name, err)
	}
	control, err := deb.Control()
	if err != nil {
		return mirror.Deb{}, fmt.Errorf("read %s: %w", name, err)
	}
	p, err := control.Package()
	if err != nil {
		return mirror.Deb{}, fmt.Errorf("read %s: %w", name, err)
	}
	text := strings.TrimRight(string(control.Files["control"]), "\n") + "\n"
	return a.put(text, p.Name, p.Version, p.Architecture, data), nil
}

func (a *Archive) put(control, name, version, architecture string, data []byte) mirror.Deb {
	return a.putInto(a.Components[0], control, name, version, architecture, data)
}

func (a *Archive) putInto(component, control, name, version, architecture string, data []byte) mirror.Deb {
	_, plain, hasEpoch := strings.Cut(version, ":")
	if !hasEpoch {
		plain = version
	}
	file := path.Join("pool", a.prefix()+component, name[:1], name, name+"_"+plain+"_"+architecture+".deb")
	listed := file
	if a.isFlat() {
		file = path.Join(a.dir(), name+"_"+plain+"_"+architecture+".deb")
		listed = "./" + file
	}
	deb := mirror.Deb{
		Name: name, Version: version, Architecture: architecture,
		Archive: mirror.Archive{Name: a.Name, Suite: a.Suite}, Date: a.Date,
		Path: file, SHA256: hexSum(data), Size: int64(len(data)),
	}
	stanza := control + fmt.Sprintf("Filename: %s\nSize: %d\nSHA256: %s\n", listed, deb.Size, deb.SHA256)
	a.pool[file] = pooled{component, stanza, deb, data}
	return deb
}

// Files makes the whole archive: paths below its root, and their content.
func (a *Archive) Files() map[string][]byte {
	files := map[string][]byte{}
	for name, p := range a.pool {
		files[name] = p.bytes
	}
	var sums strings.Builder
	add := func(dir string, index []byte) {
		for name, data := range map[string][]byte{"Packages": index, "Packages.xz": Compress(index)} {
			if name != "Packages" { // as Debian does
				files[path.Join(a.dir(), dir, name)] = data
			}
			if a.ByHash {
				files[path.Join(a.dir(), dir, "by-hash/SHA256", hexSum(data))] = data
			}
			fmt.Fprintf(&sums, " %s %d %s\n", hexSum(data), len(data), path.Join(dir, name))
		}
	}
	if a.isFlat() {
		add("", a.index(a.Components[0], a.Architectures...))
	} else {
		for _, component := range a.Components {
			for _, architecture := range a.Architectures {
				add(component+"/binary-"+architecture, a.index(component, architecture))
			}
		}
	}
	signed := a.Signed
	if signed.IsZero() {
		signed = a.Date
	}
	release := []byte(a.release(sums.String()))
	if a.Detached {
		files[path.Join(a.dir(), "Release")] = release
		files[path.Join(a.dir(), "Release.gpg")] = a.Key.SignDetached(release, signed)
		return files
	}
	files[path.Join(a.dir(), "InRelease")] = a.Key.Sign(release, signed, a.Hash)
	return files
}

func (a *Archive) isFlat() bool { return strings.HasSuffix(a.Suite, "/") }

// dir is where the Release is, below the archive's root.
func (a *Archive) dir() string {
	if a.isFlat() {
		return strings.Trim(path.Clean("/"+a.Suite), "/")
	}
	return "dists/" + a.Suite
}

// prefix is what Debian's security archive calls its components with.
func (a *Archive) prefix() string {
	if a.Name == "debian-security" {
		return "updates/"
	}
	return ""
}

func (a *Archive) index(component string, architectures ...string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(a.pool)) {
		p := a.pool[name]
		if p.component == component && (slices.Contains(architectures, p.deb.Architecture) || p.deb.Architecture == "all") {
			b.WriteString(p.stanza + "\n")
		}
	}
	return b.Bytes()
}

func (a *Archive) release(sums string) string {
	const layout = "Mon, 02 Jan 2006 15:04:05 UTC"
	var b strings.Builder
	fmt.Fprintf(&b, "Origin: Debian\nLabel: Debian\nSuite: %s\nCodename: %s\n", a.Suite, a.Suite)
	fmt.Fprintf(&b, "Date: %s\n", a.Date.UTC().Format(layout))
	if !a.ValidUntil.IsZero() {
		fmt.Fprintf(&b, "Valid-Until: %s\n", a.ValidUntil.UTC().Format(layout))
	}
	if a.ByHash {
		b.WriteString("Acquire-By-Hash: yes\n")
	}
	if a.NotAutomatic {
		b.WriteString("NotAutomatic: yes\n")
	}
	if a.Upgrades {
		b.WriteString("ButAutomaticUpgrades: yes\n")
	}
	fmt.Fprintf(&b, "Architectures: %s\nComponents: %s\nDescription: made for a test\nSHA256:\n", strings.Join(a.Architectures, " "), a.prefix()+strings.Join(a.Components, " "+a.prefix()))
	lines := strings.SplitAfter(sums, "\n")
	slices.Sort(lines)
	return b.String() + strings.Join(lines, "")
}

// Write makes the archive's files in dir, for a file:// mirror.
func (a *Archive) Write(dir string) error {
	for name, data := range a.Files() {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Key signs archives.
type Key struct {
	entity *openpgp.Entity
}

// NewKey makes an Ed25519 key at the given time. A lifetime of zero is for
// ever.
func NewKey(name string, created time.Time, lifetime time.Duration) *Key {
	entity, err := openpgp.NewEntity(name, "", "", &packet.Config{
		Algorithm:       packet.PubKeyAlgoEdDSA,
		Time:            func() time.Time { return created },
		KeyLifetimeSecs: uint32(lifetime / time.Second),
	})
	must(err)
	return &Key{entity}
}

// Fingerprint is the key's name, upper-case hexadecimal.
func (k *Key) Fingerprint() string { return fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint) }

// Public is the binary public key, for signature.ParseKeys.
func (k *Key) Public() []byte {
	var b bytes.Buffer
	must(k.entity.Serialize(&b))
	return b.Bytes()
}

// Private is the binary private key, which nobody should give away.
func (k *Key) Private() []byte {
	var b bytes.Buffer
	must(k.entity.SerializePrivateWithoutSigning(&b, nil))
	return b.Bytes()
}

// SignDetached makes a binary signature of text, as Release.gpg is one.
func (k *Key) SignDetached(text []byte, at time.Time) []byte {
	var b bytes.Buffer
	must(openpgp.DetachSign(&b, k.entity, bytes.NewReader(text), &packet.Config{
		DefaultHash: crypto.SHA256, Time: func() time.Time { return at },
	}))
	return b.Bytes()
}

// Keyring has this key alone.
func (k *Key) Keyring() *signature.Keyring {
	ring, err := signature.ParseKeys(k.Public())
	must(err)
	return ring
}

// Sign makes a clear-signed message of text.
func (k *Key) Sign(text []byte, at time.Time, hash crypto.Hash) []byte {
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, k.entity.PrivateKey, &packet.Config{
		DefaultHash: hash, Time: func() time.Time { return at },
	})
	must(err)
	_, err = w.Write(text)
	must(err)
	must(w.Close())
	b.WriteByte('\n')
	return b.Bytes()
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
