package system

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"stet/internal/debian"
	"stet/internal/erofs"
	"stet/internal/graph"
	"stet/internal/initrd"
	"stet/internal/machine"
	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/verity"
)

// ManifestFormat is the version of the manifest that this Stet writes and
// reads; docs/formats/manifest.md describes it.
const ManifestFormat = 1

// Manifest names everything a system is. Its canonical text's SHA-256 is the
// digest of the system.
type Manifest struct {
	Format        int                      `json:"format"`
	Machine       string                   `json:"machine"`
	Trees         map[string]string        `json:"trees"`  // name to the SHA-256 of the tree's text
	Images        map[string]verity.Digest `json:"images"` // name to the image's fs-verity digest
	Kernel        verity.Digest            `json:"kernel"` // an object
	KernelVersion string                   `json:"kernel_version"`
	Initrd        verity.Digest            `json:"initrd"` // an object
	CommandLine   string                   `json:"command_line"`
}

// Text is the canonical JSON: keys as here, maps sorted, one line.
func (m *Manifest) Text() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// Digest is the identity of the system.
func (m *Manifest) Digest() (string, error) {
	text, err := m.Text()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// ParseManifest reads a manifest and refuses formats it does not know.
func ParseManifest(text []byte) (*Manifest, error) {
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if version.Format != ManifestFormat {
		return nil, fmt.Errorf("read manifest: format %d; this Stet reads %d: use the Stet that built the system, or build it again", version.Format, ManifestFormat)
	}
	m := &Manifest{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return m, nil
}

// Make stores a machine's trees, images and initrd and gives its manifest.
// init is the stet-init program.
func Make(s *store.Store, m *machine.Machine, trees *Trees, init []byte, observe graph.Observer) (*Manifest, error) {
	manifest := &Manifest{
		Format: ManifestFormat, Machine: m.Name,
		Trees: map[string]string{}, Images: map[string]verity.Digest{},
		CommandLine: strings.Join(m.Kernel.Parameters, " "),
	}
	for name, t := range map[string]*tree.Tree{"usr": trees.Usr, "etc": trees.Etc, "modules": trees.Modules, "var": trees.Var} {
		ended := observe.Begin(graph.Step{Stage: graph.Image, Name: name})
		var err error
		if manifest.Trees[name], err = s.PutTree(t); err != nil {
			return nil, err
		}
		if manifest.Images[name], err = s.PutImage(func(w io.Writer) error { return erofs.Write(w, t) }); err != nil {
			return nil, fmt.Errorf("%s image: %w", name, err)
		}
		ended(graph.Outcome{Result: manifest.Images[name].String()})
	}
	ended := observe.Begin(graph.Step{Stage: graph.Initrd})
	kernel, version, err := findKernel(trees.Usr)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.Name, err)
	}
	manifest.Kernel, manifest.KernelVersion = kernel.Digest, version
	early, err := microcode(s, trees.Usr)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.Name, err)
	}
	var archive bytes.Buffer
	err = initrd.Image(&archive, initrd.Spec{
		Init: init, Read: moduleReader(s, trees.Modules, version),
		Modules:   append(initrd.Modules(), initrd.DeclaredModules(m.Kernel.Modules)...),
		Microcode: early,
	})
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.Name, err)
	}
	if manifest.Initrd, err = s.PutBytes(archive.Bytes()); err != nil {
		return nil, err
	}
	ended(graph.Outcome{Bytes: graph.Bytes(int64(archive.Len())), Result: manifest.Initrd.String()})
	return manifest, nil
}

// findKernel gives the kernel to boot: the newest that is there.
func findKernel(usr *tree.Tree) (kernel *tree.Entry, version string, err error) {
	const prefix = bootPlace + "/vmlinuz-"
	for e := range usr.Below(bootPlace) {
		v, ok := strings.CutPrefix(e.Path, prefix)
		if ok && e.Type == tree.Regular && (kernel == nil || debian.CompareVersions(v, version) > 0) {
			kernel, version = e, v
		}
	}
	if kernel == nil {
		return nil, "", fmt.Errorf("no package brings a kernel (/boot/vmlinuz-…): set kernel.package")
	}
	return kernel, version, nil
}

// moduleReader reads files of one kernel's module directory.
func moduleReader(s *store.Store, modules *tree.Tree, version string) initrd.ReadFunc {
	return func(name string) ([]byte, error) {
		e, ok := modules.Lookup("/lib/modules/" + version + "/" + name)
		if !ok {
			return nil, &missingModuleError{version, name}
		}
		return s.ReadObject(e.Digest)
	}
}

type missingModuleError struct{ version, name string }

func (e *missingModuleError) Error() string {
	return fmt.Sprintf("kernel %s has no %s", e.version, e.name)
}

// Is makes the error one of fs.ErrNotExist.
func (e *missingModuleError) Is(target error) bool { return target == fs.ErrNotExist }
