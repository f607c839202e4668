package rootfs

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// keystorePassword is the one of Java's own list of trusted certificates. It
// protects nothing: the list has no secret, and everybody knows the password.
const keystorePassword = "changeit"

// The parts of a Java keystore of type JKS, big-endian: magic and version,
// the number of entries, the entries, a digest (sun.security.provider of
// OpenJDK, JavaKeyStore.java).
const (
	keystoreMagic   = 0xfeedfeed
	keystoreVersion = 2
	keystoreTrusted = 2 // the tag of a trusted certificate
	keystoreHead    = 12
)

// normalKeystore sorts the certificates of a keystore by their names and gives
// each the time epoch. What is not a JKS of trusted certificates under the
// usual password stays as it is.
func normalKeystore(data []byte, epoch int64) []byte {
	if len(data) < keystoreHead+sha1.Size {
		return data
	}
	body, digest := data[:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	if !bytes.Equal(keystoreDigest(body), digest) {
		return data
	}
	r := keystoreReader{rest: body}
	if r.number(4) != keystoreMagic || r.number(4) != keystoreVersion {
		return data
	}
	type certificate struct {
		name  string
		entry []byte
	}
	var certificates []certificate
	for range r.number(4) {
		begin := r.rest
		tag, name := r.number(4), string(r.bytes(2))
		stamp := len(begin) - len(r.rest)
		r.number(8)
		r.bytes(2) // the kind of certificate
		r.bytes(4)
		if r.short || tag != keystoreTrusted {
			return data
		}
		entry := slices.Clone(begin[:len(begin)-len(r.rest)])
		binary.BigEndian.PutUint64(entry[stamp:], uint64(epoch)*1000)
		certificates = append(certificates, certificate{name, entry})
	}
	if len(r.rest) > 0 {
		return data
	}
	slices.SortStableFunc(certificates, func(a, b certificate) int { return strings.Compare(a.name, b.name) })
	out := slices.Clone(body[:keystoreHead])
	for _, c := range certificates {
		out = append(out, c.entry...)
	}
	return append(out, keystoreDigest(out)...)
}

// keystoreDigest is SHA-1 over the password in UTF-16, a phrase, and the body.
func keystoreDigest(body []byte) []byte {
	h := sha1.New()
	for _, unit := range utf16.Encode([]rune(keystorePassword)) {
		h.Write([]byte{byte(unit >> 8), byte(unit)})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(body)
	return h.Sum(nil)
}

// keystoreReader takes a keystore apart; short says that it ended too early.
type keystoreReader struct {
	rest  []byte
	short bool
}

func (r *keystoreReader) take(n uint64) []byte {
	if uint64(len(r.rest)) < n {
		r.short, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *keystoreReader) number(size uint64) (n uint64) {
	for _, b := range r.take(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

// bytes reads as many bytes as the number before them says.
func (r *keystoreReader) bytes(size uint64) []byte { return r.take(r.number(size)) }
