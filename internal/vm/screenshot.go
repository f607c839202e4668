package vm

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
)

// Screenshot gives the guest's screen as a PNG file.
func (vm *VM) Screenshot(ctx context.Context) ([]byte, error) {
	file, err := os.CreateTemp(vm.directory.path, "screen-*.ppm")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := vm.execute(ctx, "screendump", map[string]any{"filename": file.Name()}); err != nil {
		return nil, fmt.Errorf("take a picture of %s: %w", vm.config.Name, err)
	}
	picture, err := decodePPM(file)
	if err != nil {
		return nil, fmt.Errorf("take a picture of %s: %w", vm.config.Name, err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// maxPixels is the largest screen that is read.
const maxPixels = 1 << 24

// decodePPM reads the binary form of ppm(5) with one byte per sample, which is
// what QEMU writes.
func decodePPM(r io.Reader) (image.Image, error) {
	in := bufio.NewReader(r)
	var magic string
	var width, height, most int
	if _, err := fmt.Fscan(in, &magic, &width, &height, &most); err != nil {
		return nil, fmt.Errorf("read the picture's header: %w", err)
	}
	if magic != "P6" || most != 255 || width < 1 || height < 1 || width > maxPixels/height {
		return nil, fmt.Errorf("a picture %q of %d×%d with samples up to %d", magic, width, height, most)
	}
	if _, err := in.ReadByte(); err != nil { // one white space ends the header
		return nil, err
	}
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	row := make([]byte, 3*width)
	for y := range height {
		if _, err := io.ReadFull(in, row); err != nil {
			return nil, fmt.Errorf("read the picture's row %d: %w", y, err)
		}
		for x := range width {
			picture.SetRGBA(x, y, color.RGBA{row[3*x], row[3*x+1], row[3*x+2], 255})
		}
	}
	return picture, nil
}
