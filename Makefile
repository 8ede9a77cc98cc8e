# Two commands do all the set-up: make demo, make test. Both install what is
# missing (a C++ library for the embedded database, and for test the library of
# ONNX Runtime) where they may.

GO ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

export CGO_ENABLED = 1

# Packages that run goroutines, for the race detector, and the assembly's
# callers, whose pointers it checks.
RACED = ./cmd/... ./infer/... ./train/... ./datasets/... ./model/...

.PHONY: build demo test vet staticcheck race format generate tools onnxruntime clean

build: tools
	$(GO) build -o bin/moments ./cmd/moments

# A synthetic customer base from nothing to scores; its files stay in demo/.
demo: build
	bin/moments demo

# Without the library of ONNX Runtime the tests that need it are skipped by name.
test: build
	@.ci/onnxruntime >/dev/null || echo "make: no library of ONNX Runtime: the tests that need it are skipped" >&2
	$(GO) test ./...

vet: tools
	$(GO) vet ./...

staticcheck: tools
	$(GO) run $(STATICCHECK) ./...

race: tools
	$(GO) test -race -short $(RACED)

format:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these files" >&2; exit 1; }

generate:
	$(GO) generate ./...

# DuckDB is linked as a static C++ library.
tools:
	@.ci/tools

# The library that runs ONNX models of others, in the user's cache.
onnxruntime: build
	@.ci/onnxruntime

clean:
	rm -rf bin demo
