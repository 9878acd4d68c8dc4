# One word a job: `make demo` runs the product, `make test` passes the tests.
GO ?= go
FUZZTIME ?= 60s
# The race detector needs a C compiler.
RACE ?= $(if $(shell command -v gcc || command -v cc || command -v clang),-race)

.PHONY: build demo test faults e2e bench bench-index check fuzz

build:
	$(GO) build -trimpath -o bin/tapedeck ./cmd/tapedeck

# A whole Tapedeck with a simulated FreeSWITCH; DEMO=--once ends by itself.
demo: build
	./bin/tapedeck demo $(DEMO)

# Everything but the suite against a real FreeSWITCH. The fault suite measures how
# long real processes take: nothing runs beside it.
test:
	@$(if $(RACE),,echo "no C compiler: tested without the race detector")
	$(GO) test $(RACE) $$($(GO) list ./... | grep -v /e2e/faults)
	$(GO) test $(RACE) ./e2e/faults

# Calls, toggles and transfers while processes are killed, lines cut, disks
# filled: the long form of what `make test` plays 50 times, with pick-ups and
# conference rooms added.
faults:
	$(GO) test $(RACE) -count=1 -timeout 90m -v -run TestFaults ./e2e/faults -faults.talks -faults.runs=500

# Real calls through a real FreeSWITCH (FREESWITCH_BIN, PATH,
# /usr/local/freeswitch/bin or /opt/*/bin); without one it says so and skips.
# With two scenarios at once a machine with two cores has a load of 0.4.
e2e:
	TAPEDECK_E2E=1 $(GO) test -count=1 -timeout 20m -v -p 1 -parallel 3 ./e2e ./e2e/lab

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) test -run '^$$' -bench Press -benchtime 1000x ./call
	$(GO) test -count=1 -timeout 30m -v -run TestFairness ./cmd/tapedeck -fairness.run

# How long a page of the recordings takes among a million, in a real Redis; 3 GB.
bench-index:
	$(GO) test -count=1 -timeout 60m -v -run TestMillion ./store/index -store.million

# What has to be clean before a commit.
check:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

# Each fuzz target for FUZZTIME; new findings stay in testdata/fuzz.
fuzz:
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep ^Fuzz || true); do \
			echo "== $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$package; \
		done; \
	done
