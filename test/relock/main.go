// Command relock moves the locks of all examples, or of those named, to what the
// mirrors have now, and renews the golden digests that belong to them. One commit
// has both. With -goldens the locks stay: it is for a change of Stet's own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"

	"stet/test/example"
)

func main() {
	goldens := flag.Bool("goldens", false, "renew the golden digests alone")
	flag.Parse()
	renew := example.Relock
	if *goldens {
		renew = example.Renew
	}
	names := flag.Args()
	if len(names) == 0 {
		names = slices.Concat(example.Names, example.Large, example.Fleets)
	}
	if err := all(context.Background(), names, renew); err != nil {
		fmt.Fprintln(os.Stderr, "relock:", err)
		os.Exit(1)
	}
}

func all(ctx context.Context, names []string, renew func(ctx context.Context, stet, name string) error) error {
	stet, err := example.Stet()
	if err != nil {
		return err
	}
	for _, name := range names {
		fmt.Println("examples/" + name)
		if err := renew(ctx, stet, name); err != nil {
			return err
		}
	}
	return nil
}
