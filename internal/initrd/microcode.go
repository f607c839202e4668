package initrd

// Microcode is what a CPU takes from the beginning of the initrd, before the
// kernel has unpacked anything (Documentation/arch/x86/microcode.rst). Each is the
// firmware files of one vendor behind one another; the kernel picks what fits.
type Microcode struct {
	Intel, AMD []byte
}

// microcodeDirectory is where the kernel looks, in an archive that is not
// compressed.
const microcodeDirectory = "kernel/x86/microcode"

// write adds the early archive's files; without microcode there is none.
func (m Microcode) write(archive *Writer) error {
	for _, directory := range []string{"kernel", "kernel/x86", microcodeDirectory} {
		if err := archive.Directory(directory, 0o755); err != nil {
			return err
		}
	}
	for _, vendor := range []struct {
		name    string
		content []byte
	}{{"AuthenticAMD.bin", m.AMD}, {"GenuineIntel.bin", m.Intel}} {
		if len(vendor.content) == 0 {
			continue
		}
		if err := archive.File(microcodeDirectory+"/"+vendor.name, 0o644, vendor.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (m Microcode) isEmpty() bool { return len(m.Intel) == 0 && len(m.AMD) == 0 }
