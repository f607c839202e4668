package disk

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"stet/internal/boot"
	"stet/internal/fat"
	"stet/internal/gpt"
	"stet/internal/verity"
)

// bootLoader is where the package systemd-boot-efi has it.
const bootLoader = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"

// writeESP writes the file system that the firmware boots from.
func writeESP(disk io.WriterAt, c Content, t Tools, ids Identities, at gpt.Partition) error {
	loader, ok := t.Root.Lookup(bootLoader)
	if !ok {
		return errors.New("stet.lock has no package systemd-boot-efi among its tools: run \"stet lock\"")
	}
	entry := boot.Entry{
		Machine: c.Manifest.Machine, Generation: c.Record.Number, System: c.Record.System,
		Kernel: c.Manifest.Kernel, Initrd: c.Manifest.Initrd, CommandLine: c.Manifest.CommandLine,
	}
	v := fat.Volume{
		Size: at.Size, Label: "ESP", Time: time.Unix(t.Epoch, 0), Serial: serial(ids("esp file system")),
		Files: []fat.File{
			text(boot.LoaderConfPath, []byte(boot.LoaderConf)),
			text(boot.EntryKindsPath, []byte(boot.EntryKinds)),
			// There is no other generation to go back to, so it is not counted.
			text(boot.EntriesDir+"/"+boot.Name{Generation: entry.Generation}.String(), entry.Text()),
		},
	}
	contents := map[string]verity.Digest{boot.KernelPath(entry.Kernel): entry.Kernel, boot.InitrdPath(entry.Initrd): entry.Initrd}
	for _, name := range boot.LoaderPaths() {
		contents[name] = loader.Digest
	}
	for name, digest := range contents {
		file, err := object(c, name, digest)
		if err != nil {
			return err
		}
		v.Files = append(v.Files, file)
	}
	return fat.Write(io.NewOffsetWriter(disk, at.Start), v)
}

func text(name string, content []byte) fat.File {
	return fat.File{Path: name, Size: int64(len(content)), Open: fat.Content(content)}
}

func object(c Content, name string, digest verity.Digest) (fat.File, error) {
	info, err := os.Stat(c.Store.ObjectPath(digest))
	if err != nil {
		return fat.File{}, err
	}
	return fat.File{Path: name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return c.Store.OpenObject(digest) }}, nil
}

// serial is the short number by which FAT tells volumes apart.
func serial(id gpt.GUID) uint32 { return binary.BigEndian.Uint32(id[:]) }
