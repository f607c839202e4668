package initrd

import "strings"

// A When says which boots load a module. Its values are words of the file
// modules/load, which docs/formats/state.md describes.
type When string

// The conditions.
const (
	Always   When = "always"   // a boot cannot do without
	Declared When = "declared" // the machine's description asks for it
	Device   When = "device"   // there is a device that it drives, and no store yet
	Keyboard When = "keyboard" // the same, when a person has to type
	EFI      When = "efi"      // the firmware is asked which disk it started from
)

// A Module is a kernel module that the initrd wants, with the reason.
type Module struct {
	Name string // as lsmod(8) shows it
	When When
	Why  string // what cannot be done without it

	Optional bool // not every kernel has it, neither built in nor as a module

	// Packed leaves its file compressed, as the package has it. Few boots load
	// it, so the time to unpack it costs less than its bytes would cost all.
	Packed bool
}

// Modules returns the modules that stet-init needs to reach and mount a store
// on any hardware. A module that is built into the kernel costs nothing. Those
// for devices are tried in this order: first the disks that are there as soon as
// their driver is.
func Modules() []Module {
	modules := []Module{
		{Name: "efivarfs", When: EFI, Why: "the variable of the boot loader that names its disk", Optional: true, Packed: true},
		{Name: "crc32c_generic", When: Always, Why: "ext4 and erofs ask for crc32c by name; there is no modprobe to answer", Optional: true},
		{Name: "ext4", When: Always, Why: "the file system of the store"},
		{Name: "erofs", When: Always, Why: "the metadata images of /usr and /etc"},
		{Name: "overlay", When: Always, Why: "joins an image with the objects of the store"},

		{Name: "virtio_pci", When: Device, Why: "the bus of all virtio devices of a virtual machine", Optional: true},
		{Name: "virtio_blk", When: Device, Why: "the disk of a virtual machine", Optional: true},
		{Name: "virtio_console", When: Device, Why: "messages of a virtual machine whose console is hvc0", Optional: true},
	}
	for _, m := range []struct{ name, why string }{
		{"nvme", "SSDs on PCI Express"},
		{"xen_blkfront", "disks of a Xen guest"},
		{"hv_vmbus", "the bus of all devices of a Hyper-V guest"},
		{"hv_storvsc", "disks of a Hyper-V guest"},
		{"vmw_pvscsi", "disks of a VMware guest"},
		{"virtio_scsi", "SCSI disks of a virtual machine"},
		{"sd_mod", "all disks that speak SCSI: SATA, SAS, USB"},
		{"mmc_block", "SD cards and eMMC"},
		{"vmd", "SSDs behind Intel's Volume Management Device"},
		{"ahci", "SATA disks"},
		{"ata_piix", "disks of old Intel chipsets, and of emulated ones"},
		{"sata_nv", "SATA disks of nVidia chipsets"},
		{"sata_via", "SATA disks of VIA chipsets"},
		{"sata_sil", "SATA disks at Silicon Image adapters"},
		{"sata_sil24", "SATA disks at Silicon Image adapters"},
		{"sata_mv", "SATA disks at Marvell adapters"},
		{"sdhci_pci", "SD cards and eMMC at PCI"},
		{"sdhci_acpi", "SD cards and eMMC of tablets and small PCs"},
		{"ufshcd_pci", "UFS storage"},
		{"megaraid_sas", "Broadcom MegaRAID adapters"},
		{"mpt3sas", "Broadcom SAS adapters"},
		{"mpi3mr", "Broadcom SAS adapters of the fourth generation"},
		{"mptsas", "old LSI SAS adapters, and emulated ones"},
		{"mptspi", "old LSI SCSI adapters, and emulated ones"},
		{"hpsa", "HPE Smart Array adapters"},
		{"smartpqi", "Microchip Smart Storage adapters"},
		{"aacraid", "Adaptec adapters"},
		{"arcmsr", "Areca adapters"},
		{"xhci_pci", "USB 3"},
		{"ehci_pci", "USB 2"},
		{"uas", "USB disks, the quick protocol"},
		{"usb_storage", "USB disks, the old protocol"},
	} {
		modules = append(modules, Module{Name: m.name, When: Device, Why: m.why, Optional: true, Packed: true})
	}
	for _, m := range []struct{ name, why string }{
		{"i8042", "keyboards of laptops and of emulated machines"},
		{"atkbd", "keyboards of laptops and of emulated machines"},
		{"xhci_pci", "USB 3"},
		{"ehci_pci", "USB 2"},
		{"usbhid", "USB keyboards"},
		{"hid_generic", "USB keyboards"},
	} {
		modules = append(modules, Module{Name: m.name, When: Keyboard, Why: m.why, Optional: true, Packed: true})
	}
	return modules
}

// DeclaredModules are those that a machine's description names.
func DeclaredModules(names []string) []Module {
	modules := make([]Module, len(names))
	for i, name := range names {
		modules[i] = Module{Name: strings.ReplaceAll(name, "-", "_"), When: Declared, Why: "kernel.modules names it"}
	}
	return modules
}
