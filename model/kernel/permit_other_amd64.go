//go:build amd64 && !linux

package kernel

// permitTiles: only Linux is known to save tiles.
func permitTiles() bool { return false }
