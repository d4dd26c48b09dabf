.DEFAULT_GOAL := help
GO ?= go
TOOL := $(GO) tool -modfile=tools.mod

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Serve on :8000, with everything in ./waybill-data
	$(GO) build -o bin/waybill ./cmd/waybill
	@exec bin/waybill

.PHONY: test
test: deps ## All tests, with the race detector, on private servers
	$(GO) vet ./...
	$(GO) test -race -shuffle=on -count=1 -timeout=15m ./...
	$(GO) test -count=1 ./generator # a hundred million IDs, and allocations: not with the race detector
	$(GO) test -count=1 -run Allocat ./httpapi
	$(GO) test -count=1 -run AFleetThatStarts ./lease # 1,024 at once: too many for the race detector
	cd bench && $(GO) vet ./... && $(GO) test -count=1 ./...

.PHONY: deps
deps: ## Install the Debian packages that the tests need
	@.ci/deps

.PHONY: sim
sim: ## Simulated fleets under faults (SEEDS=10000; one again, with its story: SEED=n)
	$(GO) test -count=1 -timeout=4h -run '^TestSimulation$$' -v ./lease -sim.seeds=$(or $(SEEDS),10000) -sim.seed=$(or $(SEED),0)

.PHONY: mutants
mutants: ## Remove one rule of the lease at a time; the simulator must notice
	$(GO) test -count=1 -timeout=2h -run '^TestTheSimulatorNotices' -v ./lease -mutants=$(or $(MUTANTS),.)

.PHONY: model
model: deps ## Search the whole model of the lease protocol (minutes, at most 3 GB)
	cd lease/model && $(GO) test -count=1 -timeout=30m -full

.PHONY: fuzz
fuzz: ## Each fuzz target for a minute (FUZZTIME=1m)
	$(GO) test -run '^$$' -fuzz FuzzParse -fuzztime $(or $(FUZZTIME),1m) ./generator
	$(GO) test -run '^$$' -fuzz FuzzParse -fuzztime $(or $(FUZZTIME),1m) ./httpapi
	$(GO) test -run '^$$' -fuzz FuzzPlainGet -fuzztime $(or $(FUZZTIME),1m) ./httpapi
	$(GO) test -run '^$$' -fuzz FuzzFrame -fuzztime $(or $(FUZZTIME),1m) ./persist

.PHONY: bench
bench: ## Measure against peers and simpler services (needs wrk, taskset)
	@.ci/deps wrk
	cd bench && $(GO) run . $(BENCHFLAGS)

.PHONY: lint
lint: ## golangci-lint, as .golangci.yaml says
	$(TOOL) golangci-lint run ./...

.PHONY: fmt
fmt: ## Format everything
	$(TOOL) golangci-lint fmt ./...

.PHONY: build
build: ## A static binary in ./bin
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/waybill ./cmd/waybill
