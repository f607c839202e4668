package rootfs

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// keystore makes a JKS of trusted certificates: names with their times.
func keystore(entries ...any) []byte {
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.BigEndian, v) }
	text := func(s string) { put(uint16(len(s))); b.WriteString(s) }
	put(uint32(keystoreMagic))
	put(uint32(keystoreVersion))
	put(uint32(len(entries) / 2))
	for i := 0; i < len(entries); i += 2 {
		name := entries[i].(string)
		put(uint32(keystoreTrusted))
		text(name)
		put(uint64(entries[i+1].(int)))
		text("X.509")
		put(uint32(len("DER of " + name)))
		b.WriteString("DER of " + name)
	}
	return append(b.Bytes(), keystoreDigest(b.Bytes())...)
}

func TestKeystoreComesOutTheSame(t *testing.T) {
	want := keystore("a", 77000, "b", 77000)
	for _, have := range [][]byte{keystore("a", 1, "b", 2), keystore("b", 3, "a", 4)} {
		if !bytes.Equal(normalKeystore(have, 77), want) {
			t.Errorf("have %q", normalKeystore(have, 77))
		}
	}
}

func TestKeystoreThatIsNoneStaysAsItIs(t *testing.T) {
	whole := keystore("a", 1, "b", 2)
	body := whole[:len(whole)-20]
	signed := func(body []byte) []byte { return append(bytes.Clone(body), keystoreDigest(body)...) }
	private := bytes.Clone(body)
	private[15] = 1 // the tag of a private key
	many := bytes.Clone(body)
	many[8] = 0xff
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("no keystore, but long enough to be one"),
		"another password": append(bytes.Clone(body), make([]byte, 20)...),
		"private keys":     signed(private), "cut off": signed(body[:len(body)-3]),
		"bytes behind it": signed(append(bytes.Clone(body), 0)), "too few entries": signed(many),
	} {
		if have := normalKeystore(data, 77); !bytes.Equal(have, data) {
			t.Errorf("%s: changed to %q", name, have)
		}
	}
}

func FuzzNormalKeystore(f *testing.F) {
	f.Add(keystore("a", 1, "b", 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		body := append([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}, data...)
		once := normalKeystore(append(body, keystoreDigest(body)...), 77)
		if !bytes.Equal(normalKeystore(once, 77), once) {
			t.Error("treated twice, it changes twice")
		}
	})
}
