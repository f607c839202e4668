package vm

// Bus is how a guest reaches its disk.
type Bus string

// The buses. On the first one alone the disk has a serial number.
const (
	VirtioBlock Bus = ""
	VirtioSCSI  Bus = "virtio-scsi"
	NVMe        Bus = "nvme"
	SATA        Bus = "sata"
	USB         Bus = "usb"
	UAS         Bus = "uas"      // USB's quicker protocol
	VMware      Bus = "vmware"   // paravirtual SCSI
	MegaRAID    Bus = "megaraid" // the adapter of many servers
)

// devices gives QEMU's devices for a disk whose drive is called store, or nil for
// a bus that there is not. index is more of the disk's own.
func (b Bus) devices(serial, index string) []string {
	const disk = ",drive=store"
	switch b {
	case VirtioBlock:
		return []string{"virtio-blk-pci" + disk + ",serial=" + serial + index}
	case VirtioSCSI:
		return []string{"virtio-scsi-pci,id=scsi", "scsi-hd,bus=scsi.0" + disk + index}
	case NVMe:
		return []string{"nvme,serial=nvme" + disk + index}
	case SATA:
		return []string{"ide-hd,bus=ide.0" + disk + index} // the board has the controller
	case USB:
		return []string{"qemu-xhci,id=usb", "usb-storage,bus=usb.0" + disk + index}
	case UAS:
		return []string{"qemu-xhci,id=usb", "usb-uas,id=uas,bus=usb.0", "scsi-hd,bus=uas.0" + disk + index}
	case VMware:
		return []string{"pvscsi,id=scsi", "scsi-hd,bus=scsi.0" + disk + index}
	case MegaRAID:
		return []string{"megasas,id=scsi", "scsi-hd,bus=scsi.0" + disk + index}
	}
	return nil
}
