package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"moments/cmd/moments/table"
	"moments/datasets"
)

// initCommand drafts a task file.
type initCommand struct {
	Files  []string `arg:"" name:"file" help:"Data files: CSV, JSON Lines or Parquet, .gz or not."`
	Output string   `short:"o" placeholder:"FILE" help:"Write the task here, rather than to standard output. An existing file is not overwritten."`
}

// Help says what the flags do not.
func (*initCommand) Help() string {
	return `Guesses by names and values which file holds events, customers or outcomes and
which columns say who, when and what, and writes a commented task file to edit.

  moments init customers.csv -o task.yaml
  moments init events.csv.gz customers.csv outcomes.csv -o task.yaml
  moments train task.yaml`
}

// Run inspects the files and writes the draft.
func (v *initCommand) Run(ctx context.Context, c *console) error {
	if v.Output != "" {
		if _, err := os.Stat(v.Output); !errors.Is(err, os.ErrNotExist) {
			return wrongf("init: %s exists; choose another name or remove it", v.Output)
		}
	}
	text, err := datasets.Inspect(ctx, v.Files, filepath.Dir(v.Output))
	if err != nil {
		return wrong(err)
	}
	if v.Output == "" {
		c.printf("%s", text)
		return nil
	}
	if err := table.WriteFile(v.Output, text); err != nil {
		return err
	}
	c.log.Info("wrote "+v.Output, "next", "edit it, then: moments train "+v.Output)
	return nil
}
