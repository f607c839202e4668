// Command relock moves the locks of all examples to what the mirrors have now,
// and renews the golden digests that belong to them. One commit has both.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"stet/test/example"
)

func main() {
	if err := relock(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "relock:", err)
		os.Exit(1)
	}
}

func relock(ctx context.Context) error {
	stet, err := example.Stet()
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(example.Names, example.Large) {
		fmt.Println("relock examples/" + name)
		if err := example.Relock(ctx, stet, name); err != nil {
			return err
		}
	}
	return nil
}
