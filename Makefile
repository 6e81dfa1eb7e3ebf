.DEFAULT_GOAL := help
GO      ?= go
FUZZ    ?= 30s
BIN     := bin/quorate

help: ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/quorate
	$(GO) build -o $(BIN) ./cmd/quorate

run: build ## run a three-node cluster in one process on ports 7001-7003
	$(BIN) dev

demo: build ## take a tour of a minute: load, a killed leader, and the count
	$(BIN) demo

test: ## vet and test everything, real processes included
	$(GO) vet ./...
	$(GO) test ./...

race: ## test with the race detector
	$(GO) test -race ./...

fuzz: ## run every fuzz target for FUZZ (30s) each
	@for f in $$(grep -rl --include='*_test.go' '^func Fuzz' . | sort); do \
	  for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$f); do \
	    echo "== $$(dirname $$f) $$t"; $(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZ) ./$$(dirname $$f) || exit 1; \
	  done; done

bench: build ## measure beside Debian's Redis Cluster, and what faults cost clients
	$(BIN) bench peers
	$(BIN) bench failover

lint: ## vet, gofmt, staticcheck and the repository's own rules
	$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these files'; exit 1; }
	$(GO) run honnef.co/go/tools/cmd/staticcheck@latest ./...
	$(GO) test .

.PHONY: help build run demo test race fuzz bench lint
