package main

import (
	"runtime"
	"runtime/debug"
)

// versionCommand prints what the program is.
type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// A build is what the program knows of its making.
type build struct {
	Version  string `json:"version"`  // module version, or "(devel)"
	Revision string `json:"revision"` // of the source; "" when it was not built in a repository
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func currentBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			b.Revision = setting.Value
		}
	}
	return b
}

// Run prints the build.
func (v *versionCommand) Run(c *console) error {
	b := currentBuild()
	if v.JSON {
		return c.printJSON(b)
	}
	c.printf("moments %s %s %s", b.Version, b.Go, b.Platform)
	if b.Revision != "" {
		c.printf(" %s", b.Revision)
	}
	c.printf("\n")
	return nil
}
