package catalog

// Made is how many packages there are by now.
func (c *Catalog) Made() int {
	made := 0
	for _, p := range c.packages {
		if p != nil {
			made++
		}
	}
	return made
}
