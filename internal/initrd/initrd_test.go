package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/ulikunitz/xz"
)

// debianModules is a cut-out of what depmod wrote for Debian 13's cloud kernel.
func debianModules() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	packed := func(text string) *fstest.MapFile {
		var b bytes.Buffer
		w, err := xz.NewWriter(&b)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			panic(err)
		}
		return &fstest.MapFile{Data: b.Bytes()}
	}
	return fstest.MapFS{
		"modules.dep": file(`kernel/fs/erofs/erofs.ko.xz: kernel/fs/netfs/netfs.ko.xz kernel/lib/libcrc32c.ko.xz
kernel/fs/netfs/netfs.ko.xz:
kernel/lib/libcrc32c.ko.xz:
kernel/fs/overlayfs/overlay.ko.xz:
kernel/drivers/block/virtio_blk.ko.xz:
kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz
kernel/drivers/ata/ahci.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz
kernel/drivers/scsi/scsi_mod.ko.xz:
`),
		"modules.alias": file(`# Aliases extracted from modules themselves.
alias virtio:d00000002v* virtio_blk
alias pci:v*d*sv*sd*bc01sc06i01* ahci
alias block-major-8-* ahci
alias pci:v00008086d00002922sv*sd*bc*sc*i* ahci
alias fs-xfs xfs
`),
		"modules.builtin": file(`kernel/fs/ext4/ext4.ko
kernel/drivers/virtio/virtio_pci.ko
kernel/drivers/char/virtio_console.ko
`),
		"kernel/fs/erofs/erofs.ko.xz":           packed("erofs"),
		"kernel/fs/netfs/netfs.ko.xz":           packed("netfs"),
		"kernel/lib/libcrc32c.ko.xz":            packed("libcrc32c"),
		"kernel/fs/overlayfs/overlay.ko.xz":     packed("overlay"),
		"kernel/drivers/block/virtio_blk.ko.xz": packed("virtio_blk"),
		"kernel/drivers/ata/ahci.ko.xz":         packed("ahci"),
		"kernel/drivers/scsi/scsi_mod.ko.xz":    packed("scsi_mod"),
	}
}

func reader(fsys fs.FS) ReadFunc {
	return func(name string) ([]byte, error) { return fs.ReadFile(fsys, name) }
}

func TestModulesComeAfterWhatTheyDependOn(t *testing.T) {
	tests := []struct {
		name    string
		dep     string
		builtin string
		wanted  []Module
		want    []File
	}{
		{"last in the line first", "a.ko: b.ko c.ko\nb.ko: c.ko\nc.ko:\n", "", []Module{{Name: "a"}}, []File{{"c.ko", nil, false}, {"b.ko", []string{"c.ko"}, false}, {"a.ko", []string{"c.ko", "b.ko"}, false}}},
		{"shared dependency once", "a.ko: c.ko\nb.ko: c.ko\nc.ko:\n", "", []Module{{Name: "a"}, {Name: "b"}}, []File{{"c.ko", nil, false}, {"a.ko", []string{"c.ko"}, false}, {"b.ko", []string{"c.ko"}, false}}},
		{"built in costs nothing", "b.ko:\n", "kernel/fs/a.ko\n", []Module{{Name: "a"}, {Name: "b"}}, []File{{"b.ko", nil, false}}},
		{"dashes are underscores", "k/virtio-blk.ko.zst:\n", "", []Module{{Name: "virtio_blk"}}, []File{{"k/virtio-blk.ko.zst", nil, false}}},
		{"absent and optional", "b.ko:\n", "", []Module{{Name: "a", Optional: true}, {Name: "b"}}, []File{{"b.ko", nil, false}}},
		{"two files of one name", "updates/a.ko:\nkernel/a.ko:\n", "", []Module{{Name: "a"}}, []File{{"kernel/a.ko", nil, false}}},
		{"wanted after its dependent", "a.ko: b.ko\nb.ko:\n", "", []Module{{Name: "a"}, {Name: "b"}}, []File{{"b.ko", nil, false}, {"a.ko", []string{"b.ko"}, false}}},
		{"what is asked for by an alias first", "s-generic.ko:\nlib.ko:\nlate.ko:\nother.ko:\n", "", []Module{{Name: "s_generic"}, {Name: "lib"}, {Name: "late"}, {Name: "other"}},
			[]File{{"s-generic.ko", nil, false}, {"lib.ko", []string{"s-generic.ko"}, false}, {"late.ko", nil, false}, {"other.ko", []string{"s-generic.ko"}, false}}},
		{"a circle", "a.ko: b.ko\nb.ko: a.ko\n", "", []Module{{Name: "a"}, {Name: "b"}}, []File{{"b.ko", nil, false}, {"a.ko", []string{"b.ko"}, false}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys := fstest.MapFS{
				"modules.dep": {Data: []byte(test.dep)}, "modules.builtin": {Data: []byte(test.builtin)},
				"modules.alias":   {Data: []byte("alias crc32c s_generic\nalias crypto-crc32c s_generic\n")},
				"modules.softdep": {Data: []byte("# Soft dependencies\nsoftdep lib pre: crc32c other post: late\nsoftdep other pre: s-generic\n")},
			}
			got, err := Resolve(reader(fsys), test.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnusableModuleDirectoriesAreNamed(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(fstest.MapFS)
		want  string
	}{
		{"never configured", func(f fstest.MapFS) { delete(f, "modules.dep") }, "configured"},
		{"no list of built-in modules", func(f fstest.MapFS) { delete(f, "modules.builtin") }, "modules.builtin"},
		{"kernel without erofs", func(f fstest.MapFS) {
			f["modules.dep"] = &fstest.MapFile{Data: bytes.ReplaceAll(f["modules.dep"].Data, []byte("erofs.ko"), []byte("errofs.ko"))}
		}, "no module erofs, which the initrd needs (the metadata images of /usr and /etc)"},
		{"no aliases", func(f fstest.MapFS) { delete(f, "modules.alias") }, "modules.alias"},
		{"aliases of nothing", func(f fstest.MapFS) { f["modules.alias"] = &fstest.MapFile{Data: []byte("#\nalias x\n")} }, "modules.alias:2"},
		{"file missing", func(f fstest.MapFS) { delete(f, "kernel/fs/netfs/netfs.ko.xz") }, "netfs"},
		{"not compressed as its name says", func(f fstest.MapFS) {
			f["kernel/fs/netfs/netfs.ko.xz"] = &fstest.MapFile{Data: []byte("netfs")}
		}, "netfs.ko.xz: xz"},
		{"no colon", func(f fstest.MapFS) { f["modules.dep"] = &fstest.MapFile{Data: []byte("a.ko:\nnonsense\n")} }, "modules.dep:2"},
		{"climbs out", func(f fstest.MapFS) { f["modules.dep"] = &fstest.MapFile{Data: []byte("a.ko: ../../etc/shadow.ko\n")} }, "modules.dep:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys := debianModules()
			test.spoil(fsys)
			err := Image(&bytes.Buffer{}, Spec{Init: []byte("init"), Read: reader(fsys), Modules: Modules()})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want it to say %q", err, test.want)
			}
		})
	}
}

func TestImageHasInitAndModulesInLoadOrder(t *testing.T) {
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := Image(out, Spec{Init: []byte("the program"), Read: reader(debianModules()), Modules: Modules()}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same input gave two images")
	}
	entries, _, err := readArchive(first.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range entries {
		if e.Inode != uint64(i+1) {
			t.Errorf("%s: inode %d, want %d", e.Name, e.Inode, i+1)
		}
		content := string(e.Content)
		if strings.HasSuffix(e.Name, ".xz") {
			content = "packed"
		}
		got = append(got, fmt.Sprintf("%o %s %s", e.Mode, e.Name, content))
	}
	want := []string{
		"40755 dev ",
		"40755 modules ",
		"100644 modules/libcrc32c.ko libcrc32c",
		"100644 modules/netfs.ko netfs",
		"100644 modules/erofs.ko erofs",
		"100644 modules/overlay.ko overlay",
		"100644 modules/virtio_blk.ko virtio_blk",
		"100644 modules/scsi_mod.ko.xz packed",
		"100644 modules/ahci.ko.xz packed",
		"100644 modules/order libcrc32c.ko\nnetfs.ko\nerofs.ko libcrc32c.ko netfs.ko\noverlay.ko\nvirtio_blk.ko\nscsi_mod.ko.xz\nahci.ko.xz scsi_mod.ko.xz\n",
		"100644 modules/load always erofs.ko\nalways overlay.ko\ndevice virtio_blk.ko virtio:d00000002v*\n" +
			"device ahci.ko.xz pci:v*d*sv*sd*bc01sc06i01* pci:v00008086d00002922sv*sd*bc*sc*i*\n",
		"100755 init the program",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDeclaredModulesAreInTheInitrd(t *testing.T) {
	image := func(names ...string) (string, error) {
		var out bytes.Buffer
		err := Image(&out, Spec{Init: []byte("x"), Read: reader(debianModules()), Modules: append(Modules(), DeclaredModules(names)...)})
		return out.String(), err
	}
	got, err := image("ahci", "ext4") // one that is there for devices, too, and one that is built in
	if err != nil || !strings.Contains(got, "\ndeclared ahci.ko\n") || strings.Contains(got, "ahci.ko.xz") || strings.Contains(got, "declared ext4") {
		t.Errorf("%v", err)
	}
	if _, err := image("no-such"); err == nil || !strings.Contains(err.Error(), "no module no_such, which the initrd needs (kernel.modules names it)") {
		t.Errorf("%v", err)
	}
}

func TestMissingInitSaysWhatToRun(t *testing.T) {
	program, err := Init()
	if err != nil {
		if !strings.Contains(err.Error(), "run make build") {
			t.Errorf("%v, want the remedy", err)
		}
		return
	}
	if text, err := program.Read(); err != nil || !bytes.HasPrefix(text, []byte("\x7fELF")) || program.ID == "" {
		t.Errorf("stet-init is no program: %q…, %q, %v", text[:min(8, len(text))], program.ID, err)
	}
}

func TestEachModuleHasAReason(t *testing.T) {
	for _, module := range Modules() {
		if module.Why == "" || module.When == "" || module.Name != moduleName(module.Name+".ko") {
			t.Errorf("%+v", module)
		}
	}
}

func FuzzParseDependencies(f *testing.F) {
	f.Add([]byte("kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz\nkernel/b.ko.xz: kernel/a.ko.xz\nkernel/c.ko.xz:\n"))
	f.Add([]byte("# comment\n\n:\n"))
	f.Add([]byte("a.ko: a.ko\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dependencies, err := ParseDependencies(text)
		if err != nil {
			return
		}
		for file := range dependencies {
			if !fs.ValidPath(file) {
				t.Fatalf("module file %q", file)
			}
			order := dependencies.load(nil, file)
			if len(order) == 0 || len(order) > len(dependencies[file])+1 {
				t.Fatalf("%s is loaded as %q", file, order)
			}
		}
		read := func(name string) ([]byte, error) {
			if name == "modules.dep" {
				return text, nil
			}
			return nil, errors.New("none")
		}
		Resolve(read, Modules())
	})
}

func TestMicrocodeComesFirst(t *testing.T) {
	read := func(name string) ([]byte, error) {
		switch name {
		case "modules.dep", "modules.builtin", "modules.alias":
			return nil, nil
		}
		return nil, fs.ErrNotExist
	}
	var plain, early bytes.Buffer
	spec := Spec{Init: []byte("init"), Read: read}
	if err := Image(&plain, spec); err != nil {
		t.Fatal(err)
	}
	spec.Microcode = Microcode{Intel: []byte("intel"), AMD: []byte("amd")}
	if err := Image(&early, spec); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(early.Bytes(), plain.Bytes()) {
		t.Fatal("what follows the microcode is another initrd")
	}
	first := early.Bytes()[:early.Len()-plain.Len()]
	list := exec.Command("cpio", "--quiet", "-it")
	list.Stdin = bytes.NewReader(first)
	out, err := list.Output()
	want := "kernel\nkernel/x86\nkernel/x86/microcode\nkernel/x86/microcode/AuthenticAMD.bin\nkernel/x86/microcode/GenuineIntel.bin\n"
	if err != nil || string(out) != want || len(first)%blockSize != 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
