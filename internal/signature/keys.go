package signature

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

const beginArmor = "-----BEGIN"

//go:embed keys/*.asc
var debianKeys embed.FS

// Keyring is the set of keys whose signatures count.
type Keyring struct {
	// Owner is the option that declares the keys, for errors; empty for the
	// keys of Debian, which are embedded.
	Owner string

	entities openpgp.EntityList
}

// DebianKeys gives Debian's archive keys, as package debian-archive-keyring
// 2025.1 of trixie has them in /etc/apt/trusted.gpg.d. That version is the
// newest, in sid too: forky is signed by the keys of bookworm and trixie, and
// will get its own with its release. Primary keys, and the subkeys that sign:
//
//	trixie-automatic            04B54C3CDCA79751B16BC6B5225629DF75B188BD
//	                            B8E5F13176D2A7A75220028078DBA3BC47EF2265
//	trixie-security-automatic   5E04A1E3223A19A20706E20F9904613D4CCE68C6
//	                            89C87ACEA5DD6B8E6A7068808E9F831205B4BA95
//	trixie-stable               41587F7DB8C774BCCF131416762F67A0B2C39DE4
//	bookworm-automatic          B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8
//	                            4CB50190207B4758A3F73A796ED0E7B82643E131
//	bookworm-security-automatic 05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0
//	                            B0CAB9266E8C3929798B3EEEBDE6D2B9216EC7A8
//	bookworm-stable             4D64FEC119C2029067D6E791F8D2585B8783D481
//
// Those of trixie expire in 2033 (stable) and 2035, those of bookworm in 2031.
func DebianKeys() (*Keyring, error) {
	names, err := fs.Glob(debianKeys, "keys/*.asc")
	if err != nil {
		return nil, fmt.Errorf("list embedded keys: %w", err)
	}
	keys := new(Keyring)
	for _, name := range names {
		text, err := debianKeys.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read embedded key: %w", err)
		}
		read, err := ParseKeys(text)
		if err != nil {
			return nil, fmt.Errorf("embedded %s: %w", name, err)
		}
		keys.entities = append(keys.entities, read.entities...)
	}
	return keys, nil
}

// ErrPrivate is what [ParseKeys] gives for private keys: one in a repository
// would be everybody's.
var ErrPrivate = errors.New("read keys: they are private")

// ParseKeys reads OpenPGP public keys, armored or binary (RFC 9580).
func ParseKeys(text []byte) (*Keyring, error) {
	read := openpgp.ReadKeyRing
	if bytes.HasPrefix(text, []byte(beginArmor)) {
		read = openpgp.ReadArmoredKeyRing
	}
	entities, err := read(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	for _, e := range entities {
		if e.PrivateKey != nil {
			return nil, ErrPrivate
		}
	}
	if len(entities) == 0 {
		return nil, errors.New("read keys: there are none")
	}
	return &Keyring{entities: entities}, nil
}

// Armored is the text form of public keys that are armored or binary.
func Armored(keys []byte) (string, error) {
	if bytes.HasPrefix(keys, []byte(beginArmor)) {
		return string(keys), nil
	}
	var text bytes.Buffer
	w, err := armor.Encode(&text, openpgp.PublicKeyType, nil)
	if err != nil {
		return "", fmt.Errorf("write keys: %w", err)
	}
	_, err = w.Write(keys)
	if err := errors.Join(err, w.Close()); err != nil {
		return "", fmt.Errorf("write keys: %w", err)
	}
	return text.String() + "\n", nil
}

// Join makes one ring of several.
func Join(rings ...*Keyring) *Keyring {
	all := new(Keyring)
	for _, ring := range rings {
		all.entities = append(all.entities, ring.entities...)
	}
	return all
}

func (k *Keyring) own() bool { return k == nil || k.Owner == "" }

// place says where the keys are.
func (k *Keyring) place() string {
	if k.own() {
		return "embedded in Stet"
	}
	return "in " + k.Owner
}

// Primaries lists the primary keys, sorted: what people call "the fingerprint".
func (k *Keyring) Primaries() []string {
	var prints []string
	for _, e := range k.entities {
		prints = append(prints, fingerprint(e.PrimaryKey.Fingerprint))
	}
	slices.Sort(prints)
	return slices.Compact(prints)
}

// Fingerprints lists all keys and subkeys, in the order they were read, as
// upper-case hexadecimal digits.
func (k *Keyring) Fingerprints() []string {
	var prints []string
	for _, e := range k.entities {
		prints = append(prints, fingerprint(e.PrimaryKey.Fingerprint))
		for _, sub := range e.Subkeys {
			prints = append(prints, fingerprint(sub.PublicKey.Fingerprint))
		}
	}
	return prints
}

func fingerprint(raw []byte) string { return fmt.Sprintf("%X", raw) }
