# The commands of the project. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
TOOL := go tool -modfile=tools/go.mod

.PHONY: help setup build lint unit test stress bench image image-test

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what the tests need and this machine lacks
	@scripts/setup.sh

build: ## build bin/cloakroom, static, and bin/devprovider, which developers sign in at
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/cloakroom ./cmd/devprovider

lint: ## gofmt, go vet, staticcheck, govulncheck
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [[ -n "$$unformatted" ]]; then printf 'gofmt -w these:\n%s\n' "$$unformatted"; exit 1; fi
	go vet ./...
	go -C e2e/exchange vet ./...
	$(TOOL) staticcheck ./...
	@scripts/vuln.sh

unit: ## go test -race of everything, with a sum at the end
	@go test -race -timeout 15m -json ./... | node scripts/gotest.mjs

test: setup lint unit ## everything: setup, lint, unit tests, stores, end-to-end, browser; then the requirement ids shown
	@scripts/requirements.sh

STRESS ?= 5m
stress: setup ## the long shares of the tests that `make test` has seconds of: STRESS=5m
	@# The race detector keeps what it knows of each of the model's goroutines: sixteen gigabytes after ten minutes. It sees the model in `make test`.
	CLOAKROOM_STRESS=$(STRESS) go test -count=1 -timeout 2h -v -run '^TestModel' ./session
	CLOAKROOM_STRESS=$(STRESS) go test -race -count=1 -timeout 2h -v -run '^TestRefreshStress$$' ./e2e

bench: setup ## what a request, a session and a start cost, beside a bare reverse proxy (docs/performance.md)
	@go run ./e2e/bench

image: ## build the container image cloakroom:dev
	@scripts/image.sh

image-test: setup image ## start the image read-only and without capabilities, and sign in through it
	@scripts/image-test.sh
