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
	Path   []byte // escaped as in the dump; valid until the next one
	Digest verity.Digest
	Size   int64
}

// fieldsToDigest is how many fields of a line stand between SIZE and DIGEST.
const fieldsToDigest = 8

// Contents gives the contents that a dump names, with as little work as that
// takes: who counts what many trees need reads nothing else of them. The text
// must be one that [Tree.Dump] wrote; whoever is not sure of it parses it. A line
// that cannot be read is the last, with an error.
func Contents(dump []byte) iter.Seq2[Content, error] {
	return func(yield func(Content, error) bool) {
		for number := 1; len(dump) > 0; number++ {
			line := dump
			if end := bytes.IndexByte(dump, '\n'); end >= 0 {
				line, dump = dump[:end], dump[end+1:]
			} else {
				dump = nil
			}
			content, ok := contentOf(line)
			if !ok {
				yield(Content{}, fmt.Errorf("dump line %d: it cannot be read", number))
				return
			}
			if !content.Digest.IsZero() && !yield(content, nil) {
				return
			}
		}
	}
}

func contentOf(line []byte) (c Content, ok bool) {
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
