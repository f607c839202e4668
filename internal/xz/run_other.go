//go:build !amd64 || purego

package xz

import "hash/crc64"

func (d *lzma) run(limit, end uint64) error { return d.runPortable(limit, end) }

func updateCRC64(crc uint64, p []byte) uint64 { return crc64.Update(crc, crc64Table, p) }
