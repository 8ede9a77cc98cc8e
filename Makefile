# Two commands do all the set-up: make demo, make test. Both install what is
# missing (a C++ library for the embedded database) where they may.

GO ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

export CGO_ENABLED = 1

# Packages that run goroutines, for the race detector.
RACED = ./cmd/... ./infer/... ./train/... ./datasets/...

.PHONY: build demo test vet staticcheck race format generate tools clean

build: tools
	$(GO) build -o bin/moments ./cmd/moments

# A synthetic customer base from nothing to scores; its files stay in demo/.
demo: build
	bin/moments demo

test: tools
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

clean:
	rm -rf bin demo
