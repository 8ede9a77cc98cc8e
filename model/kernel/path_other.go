//go:build !amd64

package kernel

// paths are the implementations that this machine supports, the best first.
func paths() []*path { return []*path{&goPath} }
