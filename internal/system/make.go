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
	"sync"

	"golang.org/x/sync/errgroup"
	"stet/internal/debian"
	"stet/internal/erofs"
	"stet/internal/graph"
	"stet/internal/initrd"
	"stet/internal/machine"
	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/verity"
)

// The versions of what makes images and initrds, each of them raised whenever the same
// input gives other bytes: what a store remembers counts for one.
const (
	imageStage  = 1
	initrdStage = 1
)

// Make stores a machine's trees, images and initrd and gives its manifest.
// init is the stet-init program.
func Make(s *store.Store, m *machine.Machine, trees *Trees, init []byte, observe graph.Observer) (*Manifest, error) {
	manifest := &Manifest{
		Format: ManifestFormat, Machine: m.Name,
		Trees: map[string]string{}, Images: map[string]verity.Digest{},
		CommandLine: strings.Join(m.Kernel.Parameters, " "),
	}
	kernel, version, err := findKernel(trees.Usr)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.Name, err)
	}
	manifest.Kernel, manifest.KernelVersion = kernel.Digest, version
	var all errgroup.Group
	var mu sync.Mutex
	for name, t := range map[string]*tree.Tree{"usr": trees.Usr, "etc": trees.Etc, "modules": trees.Modules, "var": trees.Var} {
		all.Go(func() error {
			digest, image, err := makeImage(s, name, t, observe)
			if err != nil {
				return fmt.Errorf("%s image: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			manifest.Trees[name], manifest.Images[name] = digest, image
			return nil
		})
	}
	all.Go(func() (err error) {
		if manifest.Initrd, err = makeInitrd(s, m, trees, version, init, observe); err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
		return nil
	})
	return manifest, all.Wait()
}

// made is what is remembered of an image or an initrd.
type made struct {
	Digest verity.Digest `json:"digest"`
	Size   int64         `json:"size"` // bytes
}

// remembered gives what was made of a key, if the store still has it.
func remembered(s *store.Store, stage, key string, has func(verity.Digest, int64) bool) (verity.Digest, bool) {
	var m made
	text, ok := s.Memo(stage, key)
	ok = ok && json.Unmarshal(text, &m) == nil && has(m.Digest, m.Size)
	return m.Digest, ok
}

func remember(s *store.Store, stage, key string, m made) error {
	text, err := json.Marshal(m)
	if err == nil {
		s.Memoise(stage, key, text)
	}
	return err
}

// makeImage stores a tree and its image, and gives their digests.
func makeImage(s *store.Store, name string, t *tree.Tree, observe graph.Observer) (digest string, image verity.Digest, err error) {
	step := graph.Step{Stage: graph.Image, Name: name}
	ended := observe.Begin(step)
	if digest, err = s.PutTree(t); err != nil {
		return "", image, err
	}
	const stage = "image"
	key := fmt.Sprintf("%s-%d", digest, imageStage)
	if image, ok := remembered(s, stage, key, s.HasImage); ok {
		ended(graph.Outcome{Reused: true})
		return digest, image, nil
	}
	var size counter
	image, err = s.PutImage(func(w io.Writer) error { return erofs.Write(io.MultiWriter(w, &size), t) })
	if err != nil {
		return "", image, err
	}
	ended(graph.Outcome{Result: image.String()})
	return digest, image, remember(s, stage, key, made{image, int64(size)})
}

// counter counts the bytes that are written.
type counter int64

func (c *counter) Write(data []byte) (int, error) {
	*c += counter(len(data))
	return len(data), nil
}

// makeInitrd stores the initrd of a kernel.
func makeInitrd(s *store.Store, m *machine.Machine, trees *Trees, version string, init []byte, observe graph.Observer) (verity.Digest, error) {
	ended := observe.Begin(graph.Step{Stage: graph.Initrd})
	early, err := microcode(s, trees.Usr)
	if err != nil {
		return verity.Digest{}, err
	}
	modules := append(initrd.Modules(), initrd.DeclaredModules(m.Kernel.Modules)...)
	const stage = "initrd"
	h := sha256.New()
	fmt.Fprintf(h, "initrd %d\nkernel %s\nmodules %v\nof %s\n", initrdStage, version, modules, trees.Modules.Digest())
	for _, part := range [][]byte{init, early.Intel, early.AMD} {
		fmt.Fprintf(h, "part %x\n", sha256.Sum256(part))
	}
	key := hex.EncodeToString(h.Sum(nil))
	if digest, ok := remembered(s, stage, key, s.HasObject); ok {
		ended(graph.Outcome{Reused: true})
		return digest, nil
	}
	var archive bytes.Buffer
	err = initrd.Image(&archive, initrd.Spec{Init: init, Read: moduleReader(s, trees.Modules, version), Modules: modules, Microcode: early})
	if err != nil {
		return verity.Digest{}, err
	}
	digest, err := s.PutBytes(archive.Bytes())
	if err != nil {
		return digest, err
	}
	size := int64(archive.Len())
	ended(graph.Outcome{Bytes: graph.Bytes(size), Result: digest.String()})
	return digest, remember(s, stage, key, made{digest, size})
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
