// Command prepare prints the directory of an example whose packages are all
// in the store. See stet/test/example.
package main

import (
	"context"
	"fmt"
	"os"

	"stet/test/example"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: prepare EXAMPLE")
		os.Exit(2)
	}
	stet, err := example.Stet()
	if err == nil {
		var dir string
		if dir, _, err = example.Prepare(context.Background(), stet, os.Args[1]); err == nil {
			fmt.Println(dir)
			return
		}
	}
	fmt.Fprintln(os.Stderr, "prepare:", err)
	os.Exit(1)
}
