// Package gpt is the GUID partition table of a disk: UEFI specification,
// chapter 5.
//
// It takes partitions and the size of a disk, and gives the table's bytes, with
// the protective MBR before and the backup at the end; and it reads a table from
// a disk, from the backup where the first one is damaged.
//
// It must never open a disk, draw a UUID or know what a partition is for. It
// imports the standard library only, because stet-init has it too. Everybody may
// import it.
package gpt
