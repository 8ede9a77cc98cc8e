// Command moments trains and serves neural networks that read a customer's
// journey and say what is about to happen: will they convert, will they churn,
// is something unusual going on.
//
// Every verb is one file. This package is the only one that knows flags, the
// environment, the terminal, exit codes and signals, and the only one that
// wires the rooms together: it hands what train made to infer, so that what is
// measured is what ships.
//
// Standard output carries results only; logs and progress go to standard
// error. The exit code is 0 when done, 1 when something failed, 2 when the
// usage or the data is wrong.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"moments/model/kernel"
)

// commandLine is everything that can be said on it.
type commandLine struct {
	Demo     demoCommand     `cmd:"" help:"Make a synthetic customer base, train on it and compare what was found with what was planted."`
	Init     initCommand     `cmd:"" help:"Look at data files and write a commented task file to edit."`
	Train    trainCommand    `cmd:"" help:"Train the networks of a task and save them as a bundle."`
	Evaluate evaluateCommand `cmd:"" help:"Cross-validate a task, or evaluate a saved bundle."`
	Features featuresCommand `cmd:"" help:"Write a task's encoded examples for notebooks and other tools."`
	Score    scoreCommand    `cmd:"" help:"Score every customer with a saved bundle."`
	Alerts   alertsCommand   `cmd:"" help:"Say what is unusual about a whole base: broken touchpoints, and what flagged journeys have in common."`
	Feedback feedbackCommand `cmd:"" help:"Tune when anomalies alert by verdicts on those found, without training again."`
	Explain  explainCommand  `cmd:"" help:"Show the moments of truth of one journey, or of a whole base."`
	Serve    serveCommand    `cmd:"" help:"Answer requests for scores over HTTP and gRPC."`
	Export   exportCommand   `cmd:"" help:"Write the networks of a bundle as ONNX files."`
	Import   importCommand   `cmd:"" help:"Make a bundle of an ONNX classifier that was trained elsewhere."`
	Version  versionCommand  `cmd:"" help:"Print the version and what the program was built with."`

	Onnxruntime onnxruntimeCommand `cmd:"" help:"Find, or install, the library that runs ONNX classifiers."`

	Library   string `name:"onnxruntime-library" env:"MOMENTS_ONNXRUNTIME" placeholder:"FILE" help:"The shared library of ONNX Runtime. Default: beside the program, in the user's cache, in the system."`
	Quiet     bool   `short:"q" help:"Log warnings and errors only, and show no progress."`
	LogFormat string `enum:"text,json" default:"text" help:"Format of the log on standard error: ${enum}."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once the first signal has cancelled the work, give the signals back: a
	// second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for the process around it. It returns the exit
// code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var line commandLine
	parsed, helped, err := parse(&line, args, stdout, stderr)
	if helped {
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(stderr, "moments: %v\n", err)
		return exitWrong
	}
	console := newConsole(stdout, stderr, line.Quiet, line.LogFormat)
	console.library = line.Library
	if err := kernel.PathError(); err != nil {
		console.log.Warn(err.Error())
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(console)
	console.close()
	if err != nil {
		console.log.Error(describe(err))
	}
	return exitCode(err)
}

// parse reads args into line. helped says that help was asked for and printed.
func parse(line *commandLine, args []string, stdout, stderr io.Writer) (parsed *kong.Context, helped bool, err error) {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parser, err := kong.New(line,
		kong.Name("moments"),
		kong.Description("Neural networks that read a customer's journey and say what is about to happen.\n\nStart with \"moments demo\". Exit codes: 0 done, 1 failed, 2 wrong usage or wrong data."),
		kong.Writers(stdout, stderr),
		// Help ends the program from inside the parser; here it only says so.
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
	)
	if err != nil {
		return nil, false, err
	}
	parsed, err = parser.Parse(args)
	return parsed, helped, err
}
