.DEFAULT_GOAL := help
GO ?= go

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/quorate
	$(GO) build -o bin/quorate ./cmd/quorate

test: ## run the tests
	$(GO) vet ./...
	$(GO) test ./...

.PHONY: help build test
