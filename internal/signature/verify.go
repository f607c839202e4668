package signature

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Signed is a text whose signature was good.
type Signed struct {
	Text    []byte   // what was signed, with line feeds
	Signers []string // fingerprints of the signing keys, sorted
}

const beginSigned = "-----BEGIN PGP SIGNED MESSAGE-----"

// maxSignatures is far above the three that Debian makes.
const maxSignatures = 32

// Verify checks a clear-signed text (RFC 9580 section 7), as InRelease is one.
// At least one signature must be by a key in keys and good at the given time;
// a signature by such a key over other text makes the whole bad. The zero time
// stands for the moment each signature was made.
//
// Its typed errors are [*AlteredError], [*UnknownKeyError], [*ExpiredKeyError]
// and [*FutureError].
func Verify(message []byte, keys *Keyring, at time.Time) (*Signed, error) {
	if !bytes.HasPrefix(message, []byte(beginSigned)) {
		if bytes.Contains(message, []byte(beginSigned)) {
			return nil, &AlteredError{Problem: "there is text before the signed message"}
		}
		return nil, &AlteredError{Problem: "it is not a signed message"}
	}
	block, rest := clearsign.Decode(message)
	if block == nil {
		return nil, &AlteredError{Problem: "the signed message is malformed or cut off"}
	}
	if len(rest) > 0 {
		return nil, &AlteredError{Problem: "there is text after the signed message"}
	}
	signatures, err := readSignatures(block.ArmoredSignature.Body)
	if err != nil {
		return nil, err
	}
	// The line feed before the signature is not part of the message.
	text := append(bytes.TrimSuffix(block.Plaintext, []byte("\n")), '\n')
	signers, err := verifyAll(signatures, block.Bytes, keys, at)
	if err != nil {
		return nil, err
	}
	return &Signed{Text: text, Signers: signers}, nil
}

// VerifyDetached checks a text against signatures that stand beside it, as
// Release.gpg beside Release: armored or binary. All else is as in [Verify].
func VerifyDetached(text, detached []byte, keys *Keyring, at time.Time) (*Signed, error) {
	var body io.Reader = bytes.NewReader(detached)
	if bytes.HasPrefix(detached, []byte(beginArmor)) {
		block, err := armor.Decode(body)
		if err != nil {
			return nil, &AlteredError{Problem: "its signature is malformed or cut off"}
		}
		body = block.Body
	}
	signatures, err := readSignatures(body)
	if err != nil {
		return nil, err
	}
	signers, err := verifyAll(signatures, text, keys, at)
	if err != nil {
		return nil, err
	}
	return &Signed{Text: text, Signers: signers}, nil
}

// verifyAll gives the fingerprints of the keys whose signatures are good.
func verifyAll(signatures []*packet.Signature, text []byte, keys *Keyring, at time.Time) ([]string, error) {
	var signers, unknown []string
	var refused error
	for _, signature := range signatures {
		signer, err := verifyOne(signature, text, keys, at)
		var altered *AlteredError
		var stranger *UnknownKeyError
		switch {
		case err == nil:
			signers = append(signers, signer)
		case errors.As(err, &altered):
			return nil, err
		case errors.As(err, &stranger):
			unknown = append(unknown, stranger.Fingerprints...)
		case refused == nil:
			refused = err
		}
	}
	if len(signers) > 0 {
		slices.Sort(signers)
		return slices.Compact(signers), nil
	}
	if refused != nil {
		return nil, refused
	}
	return nil, &UnknownKeyError{Fingerprints: unknown, Keys: keys}
}

func readSignatures(r io.Reader) ([]*packet.Signature, error) {
	var signatures []*packet.Signature
	for packets := packet.NewReader(r); ; {
		p, err := packets.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &AlteredError{Problem: "its signature cannot be read: " + err.Error()}
		}
		signature, ok := p.(*packet.Signature)
		if !ok || len(signatures) == maxSignatures {
			return nil, &AlteredError{Problem: "its signature is malformed"}
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) == 0 {
		return nil, &AlteredError{Problem: "it has no signature"}
	}
	return signatures, nil
}

// verifyOne checks one signature and gives the signing key's fingerprint.
func verifyOne(signature *packet.Signature, text []byte, keys *Keyring, at time.Time) (string, error) {
	if signature.IssuerKeyId == nil {
		return "", &AlteredError{Problem: "its signature names no key"}
	}
	found := keys.entities.KeysByIdUsage(*signature.IssuerKeyId, packet.KeyFlagSign)
	if len(found) == 0 {
		name := fingerprint(signature.IssuerFingerprint)
		if name == "" {
			name = fmt.Sprintf("%016X", *signature.IssuerKeyId)
		}
		return "", &UnknownKeyError{Fingerprints: []string{name}, Keys: keys}
	}
	key := found[0]
	name := fingerprint(key.PublicKey.Fingerprint)
	if err := checkAlgorithms(signature, key); err != nil {
		return "", err
	}
	var raw bytes.Buffer
	if err := signature.Serialize(&raw); err != nil {
		return "", &AlteredError{Problem: "its signature is malformed: " + err.Error()}
	}
	if at.IsZero() {
		at = signature.CreationTime
	}
	config := &packet.Config{Time: func() time.Time { return at }}
	_, _, err := openpgp.VerifyDetachedSignature(keys.entities, bytes.NewReader(text), &raw, config)
	switch {
	case err == nil:
		return name, nil
	case errors.Is(err, pgperrors.ErrSignatureExpired) && signature.CreationTime.After(at):
		return "", &FutureError{Date: signature.CreationTime, Now: at}
	case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrSignatureExpired):
		return "", &ExpiredKeyError{Fingerprint: name, Expired: expiry(key), Now: at, Keys: keys}
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "", fmt.Errorf("signed by key %s, which is revoked", name)
	}
	return "", &AlteredError{Problem: "the text is not what key " + name + " signed"}
}

// checkAlgorithms refuses hashes that can be collided, in the signature and in
// what binds the key: Debian's own apt does since 2026.
func checkAlgorithms(signature *packet.Signature, key openpgp.Key) error {
	self, _ := key.Entity.PrimarySelfSignature()
	all := []*packet.Signature{signature, self, key.SelfSignature}
	if key.SelfSignature != nil {
		all = append(all, key.SelfSignature.EmbeddedSignature)
	}
	for _, s := range all {
		if s == nil {
			continue
		}
		switch s.Hash {
		case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		default:
			return fmt.Errorf("the signature of key %s uses %s, which is too weak to trust", fingerprint(key.PublicKey.Fingerprint), s.Hash)
		}
	}
	return nil
}

// expiry is when key or its primary key ceases to be valid; zero when it does
// not.
func expiry(key openpgp.Key) time.Time {
	var first time.Time
	consider := func(public *packet.PublicKey, self *packet.Signature) {
		if public == nil || self == nil || self.KeyLifetimeSecs == nil || *self.KeyLifetimeSecs == 0 {
			return
		}
		end := public.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
		if first.IsZero() || end.Before(first) {
			first = end
		}
	}
	self, _ := key.Entity.PrimarySelfSignature()
	consider(key.Entity.PrimaryKey, self)
	consider(key.PublicKey, key.SelfSignature)
	return first
}
