.DEFAULT_GOAL := help
GO      ?= go
FUZZ    ?= 30s
PAIRS   ?= 5
HOURS   ?= 2
SIM_HOURS ?= 1000
BIN     := bin/quorate

help: ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/quorate
	$(GO) build -o $(BIN) ./cmd/quorate

run: build ## run a three-node cluster in one process on ports 7001-7003
	$(BIN) dev

demo: build ## take a tour of a minute: load, a killed leader, and the count
	$(BIN) demo

test: ## vet and test everything, real processes included
	$(GO) vet ./...
	$(GO) vet -tags mutation ./...
	$(GO) test -tags mutation -run 'TestEvictionComparesVersions|TestEvictionOfWhatWasWrittenSince|TestHalfAVote|TestAForgottenVote|TestAFailedSyncIsNone|TestATornEntryIsNone|TestALeaderThatHandsOver|TestWeaken|TestAFindingIsMadeSmaller' \
	  ./fsm ./shardgroup/stable ./shardgroup/wal ./shardgroup/consensus ./rpc/node/guards ./jepsen/sim ./jepsen/journal
	$(GO) test ./...

race: ## test with the race detector
	$(GO) test -race ./...

fuzz: ## run every fuzz target for FUZZ (30s) each
	@for f in $$(grep -rl --include='*_test.go' '^func Fuzz' . | sort); do \
	  for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$f); do \
	    echo "== $$(dirname $$f) $$t"; $(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZ) ./$$(dirname $$f) || exit 1; \
	  done; done

jepsen-long: build ## hurt real processes for HOURS (2), all workloads against all faults, and simulate SIM_HOURS (1000); needs root
	found=0; $(BIN) jepsen matrix --for $(HOURS)h --network --disks --jobs 2 || found=1; \
	$(BIN) jepsen sim --seeds 1- --hours $(SIM_HOURS) || found=1; exit $$found

bench: build ## measure PAIRS (5) rounds beside Redis Cluster and etcd into README.md, then costs and curves; takes a good hour
	$(BIN) bench peers --pairs $(PAIRS) --duration 2s --warmup 500ms --rate 5000 --pipeline 1,16,64 --write README.md \
	  --systems redis-everysec,redis-always-wait,etcd,quorate-interval,quorate-always,quorate-interval-quorum
	$(BIN) bench peers --pairs $(PAIRS) --duration 2s --warmup 500ms --rate 16500 --pipeline 1 --systems quorate-always --write README.md --section third-sets
	$(BIN) bench peers --pairs $(PAIRS) --duration 2s --warmup 500ms --rate 49000 --pipeline 1 --systems redis-everysec,quorate-interval --write README.md --section third-gets
	$(BIN) bench idle --groups 3,100 --write README.md
	$(BIN) bench curve groups --values 3,32,128 --rounds 3 --write README.md
	$(BIN) bench curve groups --values 3,32,128 --rounds 3 -c 1000 -P 64 --duration 6s --write README.md --section curve-groups-busy
	$(BIN) bench curve clients --values 50,1000,10000 --rounds $(PAIRS) --quorate-flags '--maxclients 20000' --redis-flags '--maxclients 20000' --duration 6s --write README.md
	$(BIN) bench curve keys --values 1000000,20000000 --duration 8s --write README.md
	$(BIN) bench memory --systems redis-everysec,quorate-interval --value-size 64 --keys 5000000 --write README.md
	$(BIN) bench memory --systems redis-everysec,quorate-interval --value-size 1024 --keys 2000000 --write README.md --section memory-1k
	$(BIN) bench snapshot --keys 5000000 --write README.md
	$(BIN) bench snapshot --keys 5000000 --pipeline 16 --rate 0 --write README.md --section snapshot-busy
	$(BIN) bench failover
	$(BIN) bench rolling

jepsen-mutants: ## switch guards off one by one and write into jepsen/README.md how soon that is noticed; takes hours
	$(GO) build -tags mutation -o $(BIN)-mutation ./cmd/quorate
	$(BIN)-mutation jepsen mutants
	$(BIN)-mutation jepsen mutants --processes --write jepsen/README.md

lint: ## vet, gofmt, staticcheck and the repository's own rules
	$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these files'; exit 1; }
	# not SA1019: hashicorp/raft still reads the fields that it calls deprecated; not ST1005: some error texts are Redis's
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -checks inherit,-SA1019,-ST1005 ./...
	$(GO) test .

.PHONY: help build run demo test race fuzz jepsen-long bench jepsen-mutants lint
