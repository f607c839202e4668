package disk

import (
	"encoding/binary"
	"io"

	"stet/internal/gpt"
)

const pageSize = 4096

// writeSwap makes swap space: a page that says so (union swap_header of the
// kernel's include/linux/swap.h, version 1).
func writeSwap(disk io.WriterAt, ids Identities, at gpt.Partition) error {
	page := make([]byte, pageSize)
	id := ids("swap space")
	le := binary.LittleEndian
	le.PutUint32(page[1024:], 1)
	le.PutUint32(page[1028:], uint32(at.Size/pageSize-1)) // the last page
	copy(page[1036:], id[:])
	copy(page[1052:], label)
	copy(page[pageSize-10:], "SWAPSPACE2")
	_, err := disk.WriteAt(page, at.Start)
	return err
}
