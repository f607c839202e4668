package signature_test

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"stet/internal/mirror/mirrortest"
	"stet/internal/signature"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestDebianKeysAreTheOnesInTheComment(t *testing.T) {
	keys, err := signature.DebianKeys()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("keys.go")
	if err != nil {
		t.Fatal(err)
	}
	prints := keys.Fingerprints()
	for _, print := range prints {
		if !bytes.Contains(source, []byte(print)) {
			t.Errorf("keys.go does not name %s", print)
		}
	}
	if len(prints) != 10 {
		t.Errorf("%d keys and subkeys", len(prints))
	}
}

func TestVerifyTakesWhatAKnownKeySigned(t *testing.T) {
	key := mirrortest.NewKey("a", now.Add(-time.Hour), 0)
	text := "Suite: x\n- dashed\n\ntrailing\n"
	signed, err := signature.Verify(key.Sign([]byte(text), now, crypto.SHA256), key.Keyring(), now)
	if err != nil {
		t.Fatal(err)
	}
	if string(signed.Text) != text {
		t.Errorf("have %q", signed.Text)
	}
	if !slices.Equal(signed.Signers, []string{key.Fingerprint()}) {
		t.Errorf("have %v", signed.Signers)
	}
}

func TestVerifyRefuses(t *testing.T) {
	key := mirrortest.NewKey("a", now.Add(-time.Hour), 0)
	short := mirrortest.NewKey("short", now.Add(-48*time.Hour), 24*time.Hour)
	message := key.Sign([]byte("Suite: x\n"), now, crypto.SHA256)
	as := func(want any) func(error) bool { return func(err error) bool { return errors.As(err, want) } }
	for name, test := range map[string]struct {
		message []byte
		keys    *signature.Keyring
		at      time.Time
		is      func(error) bool
		says    string
	}{
		"altered text":        {bytes.Replace(message, []byte("Suite: x"), []byte("Suite: y"), 1), key.Keyring(), now, as(new(*signature.AlteredError)), key.Fingerprint()},
		"text before":         {append([]byte("Suite: y\n"), message...), key.Keyring(), now, as(new(*signature.AlteredError)), "text before"},
		"text after":          {append(bytes.Clone(message), "Suite: y\n"...), key.Keyring(), now, as(new(*signature.AlteredError)), "text after"},
		"two messages":        {append(bytes.Clone(message), message...), key.Keyring(), now, as(new(*signature.AlteredError)), "text after"},
		"cut off":             {message[:len(message)-40], key.Keyring(), now, as(new(*signature.AlteredError)), "cut off"},
		"no signature at all": {[]byte("Suite: x\n"), key.Keyring(), now, as(new(*signature.AlteredError)), "not a signed message"},
		"unknown key":         {message, short.Keyring(), now, as(new(*signature.UnknownKeyError)), key.Fingerprint()},
		"expired key":         {short.Sign([]byte("x\n"), now.Add(-30*time.Hour), crypto.SHA256), short.Keyring(), now, as(new(*signature.ExpiredKeyError)), "expired on 2026-11-22"},
		"signed tomorrow":     {key.Sign([]byte("x\n"), now.Add(24*time.Hour), crypto.SHA256), key.Keyring(), now, as(new(*signature.FutureError)), "2026-11-24"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := signature.Verify(test.message, test.keys, test.at)
			if err == nil || !test.is(err) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("have %T: %v", err, err)
			}
		})
	}
}

func TestVerifyWithoutATimeTakesKeysThatExpiredSince(t *testing.T) {
	key := mirrortest.NewKey("short", now.Add(-48*time.Hour), 24*time.Hour)
	message := key.Sign([]byte("x\n"), now.Add(-30*time.Hour), crypto.SHA256)
	if _, err := signature.Verify(message, key.Keyring(), time.Time{}); err != nil {
		t.Error(err)
	}
}

// Debian signs with two or three keys at a time.
func TestVerifyJudgesAllSignatures(t *testing.T) {
	one, two := mirrortest.NewKey("one", now.Add(-time.Hour), 0), mirrortest.NewKey("two", now.Add(-time.Hour), 0)
	short := mirrortest.NewKey("short", now.Add(-48*time.Hour), 24*time.Hour)
	all, err := signature.ParseKeys(slices.Concat(one.Public(), two.Public(), short.Public()))
	if err != nil {
		t.Fatal(err)
	}
	text, other := []byte("Suite: x\n"), []byte("Suite: y\n")
	sign := func(k *mirrortest.Key, text []byte) []byte { return k.Sign(text, now, crypto.SHA256) }
	both := []string{one.Fingerprint(), two.Fingerprint()}
	slices.Sort(both)
	for name, test := range map[string]struct {
		message []byte
		keys    *signature.Keyring
		want    []string // signers; none when it is refused
	}{
		"both good":                  {join(t, sign(one, text), sign(two, text)), all, both},
		"twice the same":             {join(t, sign(one, text), sign(one, text)), all, []string{one.Fingerprint()}},
		"one by a stranger":          {join(t, sign(two, text), sign(one, text)), one.Keyring(), []string{one.Fingerprint()}},
		"one by an expired key":      {join(t, short.Sign(text, now.Add(-30*time.Hour), crypto.SHA256), sign(one, text)), all, []string{one.Fingerprint()}},
		"one over another text":      {join(t, sign(one, text), sign(two, other)), all, nil},
		"a stranger's over another":  {join(t, sign(one, text), sign(two, other)), one.Keyring(), []string{one.Fingerprint()}},
		"only a stranger's, no more": {join(t, sign(two, text), sign(short, text)), one.Keyring(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			signed, err := signature.Verify(test.message, test.keys, now)
			if (err != nil) != (test.want == nil) {
				t.Fatalf("have %v", err)
			}
			if err == nil && !slices.Equal(signed.Signers, test.want) {
				t.Errorf("signers %v, want %v", signed.Signers, test.want)
			}
		})
	}
}

// join puts the signatures of all messages below the text of the first.
func join(t *testing.T, messages ...[]byte) []byte {
	t.Helper()
	var raw []byte
	for _, message := range messages {
		block, _ := clearsign.Decode(message)
		signature, err := io.ReadAll(block.ArmoredSignature.Body)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, signature...)
	}
	text, _, _ := bytes.Cut(messages[0], []byte("-----BEGIN PGP SIGNATURE"))
	out := bytes.NewBuffer(bytes.Clone(text))
	w, err := armor.Encode(out, "PGP SIGNATURE", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(raw)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func TestVerifyRefusesSHA1(t *testing.T) {
	at := func() time.Time { return now }
	entity, err := openpgp.NewEntity("weak", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	sig := &packet.Signature{
		Version: 4, SigType: packet.SigTypeText, PubKeyAlgo: packet.PubKeyAlgoRSA, Hash: crypto.SHA1,
		CreationTime: now, IssuerKeyId: &entity.PrimaryKey.KeyId, IssuerFingerprint: entity.PrimaryKey.Fingerprint,
	}
	h := sha1.New()
	h.Write([]byte("Suite: x"))
	if err := sig.Sign(h, entity.PrivateKey, &packet.Config{NonDeterministicSignaturesViaNotation: new(bool)}); err != nil {
		t.Fatal(err)
	}
	var message, public bytes.Buffer
	message.WriteString("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSuite: x\n")
	w, err := armor.Encode(&message, "PGP SIGNATURE", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sig.Serialize(w), w.Close(), entity.Serialize(&public)); err != nil {
		t.Fatal(err)
	}
	message.WriteByte('\n')
	keys, err := signature.ParseKeys(public.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	_, err = signature.Verify(message.Bytes(), keys, now)
	if err == nil || !strings.Contains(err.Error(), "too weak") {
		t.Errorf("have %v", err)
	}
}

// gpgv is what Debian's apt trusted for two decades: it must agree with what
// our test archives sign, or the tests above prove nothing.
func TestGpgvAgreesWithTheTestKeys(t *testing.T) {
	gpgv, err := exec.LookPath("gpgv")
	if err != nil {
		t.Fatal("gpgv is needed: apt-get install gpgv")
	}
	key := mirrortest.NewKey("a", time.Now().Add(-time.Hour), 0)
	dir := t.TempDir()
	message := key.Sign([]byte("Suite: x\n"), time.Now(), crypto.SHA256)
	if err := errors.Join(os.WriteFile(dir+"/ring", key.Public(), 0o600), os.WriteFile(dir+"/message", message, 0o600)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gpgv, "--homedir", dir, "--keyring", dir+"/ring", dir+"/message").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func FuzzVerify(f *testing.F) {
	key := mirrortest.NewKey("a", now.Add(-time.Hour), 0)
	f.Add(key.Sign([]byte("Suite: x\n"), now, crypto.SHA256))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\n\n-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"))
	keys := key.Keyring()
	f.Fuzz(func(t *testing.T, message []byte) {
		signed, err := signature.Verify(message, keys, now)
		if err == nil && string(signed.Text) != "Suite: x\n" {
			t.Errorf("took %q", signed.Text)
		}
	})
}

// A repository without InRelease has Release and Release.gpg.
func TestVerifyDetachedTakesBothForms(t *testing.T) {
	key, other := mirrortest.NewKey("a", now.Add(-time.Hour), 0), mirrortest.NewKey("b", now.Add(-time.Hour), 0)
	text := []byte("Suite: x\n")
	detached := key.SignDetached(text, now)
	armored, err := signature.Armored(detached)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string][]byte{"binary": detached, "armored": []byte(armored)} {
		signed, err := signature.VerifyDetached(text, form, key.Keyring(), now)
		if err != nil || !slices.Equal(signed.Signers, []string{key.Fingerprint()}) {
			t.Errorf("%s: %+v, %v", name, signed, err)
		}
		var altered *signature.AlteredError
		if _, err := signature.VerifyDetached([]byte("Suite: y\n"), form, key.Keyring(), now); !errors.As(err, &altered) {
			t.Errorf("%s over another text: %v", name, err)
		}
		ring := other.Keyring()
		ring.Owner = "repositories.example.key"
		_, err = signature.VerifyDetached(text, form, ring, now)
		for _, word := range []string{"not in repositories.example.key", key.Fingerprint(), other.Fingerprint()} {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s by another key: %v does not say %s", name, err, word)
			}
		}
	}
}

func TestParseKeysReadsBothFormsAndNoPrivateKey(t *testing.T) {
	key := mirrortest.NewKey("a", now.Add(-time.Hour), 0)
	armored, err := signature.Armored(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{string(key.Public()), armored} {
		ring, err := signature.ParseKeys([]byte(form))
		if err != nil || !slices.Equal(ring.Primaries(), []string{key.Fingerprint()}) {
			t.Errorf("%v, %v", ring, err)
		}
	}
	for _, text := range []string{"", "hello\n", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxx\n", armored[:len(armored)/2]} {
		if _, err := signature.ParseKeys([]byte(text)); err == nil {
			t.Errorf("took %q", text)
		}
	}
	if _, err := signature.ParseKeys(key.Private()); !errors.Is(err, signature.ErrPrivate) {
		t.Errorf("a private key: %v", err)
	}
}

func FuzzParseKeys(f *testing.F) {
	key := mirrortest.NewKey("a", now.Add(-time.Hour), 0)
	f.Add(key.Public())
	armored, _ := signature.Armored(key.Public())
	f.Add([]byte(armored))
	f.Fuzz(func(t *testing.T, text []byte) {
		ring, err := signature.ParseKeys(text)
		if err == nil && len(ring.Primaries()) == 0 {
			t.Error("took a ring without keys")
		}
	})
}
