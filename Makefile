# One word a job. `make demo` runs the product, `make test` passes the tests.
GO ?= go

.PHONY: build demo test e2e bench check fuzz

build:
	$(GO) build -o bin/tapedeck ./cmd/tapedeck

demo: build
	./bin/tapedeck demo

test:
	$(GO) test -race ./...
