package tree

import (
	"bytes"
	"fmt"
	"iter"
	"strconv"

	"stet/internal/verity"
)

// Content is what one line of a dump says of a file's content.
type Content struct {
	Path   []byte // escaped as in the dump, and a part of the line
	Digest verity.Digest
	Size   int64
}

// fieldsToDigest is how many fields of a line stand between SIZE and DIGEST.
const fieldsToDigest = 8

// Contents gives the contents that a dump names; a line that cannot be read is the
// last, with an error. See [ContentOf].
func Contents(dump []byte) iter.Seq2[Content, error] {
	return func(yield func(Content, error) bool) {
		for number := 1; len(dump) > 0; number++ {
			var line []byte
			line, dump, _ = bytes.Cut(dump, []byte("\n"))
			c, ok := ContentOf(line)
			if !ok {
				yield(Content{}, fmt.Errorf("dump line %d: it cannot be read", number))
				return
			}
			if !c.Digest.IsZero() && !yield(c, nil) {
				return
			}
		}
	}
}

// ContentOf reads one line of a dump, without its line feed, with as little work
// as that takes: who counts what many trees need reads nothing else of them. The
// digest is zero for what is no file, or an empty one. The line must be one that
// [Tree.Dump] wrote; whoever is not sure of it parses the dump.
func ContentOf(line []byte) (c Content, ok bool) {
	end := bytes.IndexByte(line, ' ')
	if end < 0 {
		return c, false
	}
	c.Path, line = line[:end], line[end+1:]
	end = bytes.IndexByte(line, ' ')
	if end < 0 {
		return c, false
	}
	size := line[:end]
	for range fieldsToDigest + 1 {
		end := bytes.IndexByte(line, ' ')
		if end < 0 {
			return c, false
		}
		line = line[end+1:]
	}
	if len(line) > 0 && line[0] == '-' {
		return c, true
	}
	var err error
	if c.Size, err = strconv.ParseInt(string(size), 10, 64); err != nil || c.Size < 0 {
		return c, false
	}
	if end := bytes.IndexByte(line, ' '); end >= 0 {
		line = line[:end]
	}
	c.Digest, err = verity.ParseDigest(string(line))
	return c, err == nil
}
