# What there is to do with Sluice: `make` lists it. A fresh Debian 12 needs only Rust, git and make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

# The DPDK libraries and drivers, what builds against them, what the labs run, and a Linux kernel with IPVS as a process.
PACKAGES := libdpdk-dev dpdk dpdk-dev pkg-config gcc libc6-dev clang libclang-dev \
            iproute2 ethtool nftables nginx-light curl socat tcpdump iputils-ping procps shellcheck \
            prometheus prometheus-node-exporter user-mode-linux ipvsadm iptables kmod
SCRIPTS := .ci/run tests/src/conform/guest.sh
CARGO_DENY := 0.20.2

.DEFAULT_GOAL := help
.PHONY: help setup build root demo demo-clean test conformance lint layers deny bench bench-stages clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages that are missing (root)
	@missing=(); \
	for package in $(PACKAGES); do \
	    [[ "$$(dpkg-query -W -f='$${db:Status-Status}' "$$package" 2>/dev/null || true)" == installed ]] || missing+=("$$package"); \
	done; \
	if (( $${#missing[@]} == 0 )); then echo "setup: every package is there"; exit 0; fi; \
	if (( EUID != 0 )); then \
	    echo "setup: not root, and these packages are missing: $${missing[*]}" >&2; \
	    echo "setup: run 'sudo make setup', or: sudo apt-get install --no-install-recommends $${missing[*]}" >&2; exit 1; \
	fi; \
	echo "setup: installing $${missing[*]}"; \
	policy=/usr/sbin/policy-rc.d; \
	if [[ ! -e $$policy ]]; then \
	    printf '#!/bin/sh\nexit 101\n' > $$policy; chmod +x $$policy; trap "rm -f $$policy" EXIT; \
	fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq; \
	apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$${missing[@]}"

build: setup ## build every crate (debug profile; the packet path is optimised in it too)
	@cargo build --workspace --locked

root:
	@if (( EUID != 0 )); then echo "make: the labs make network namespaces: run this as root" >&2; exit 1; fi

demo: root build ## balance real nginx through NAT and DR in network namespaces (root); KEEP=1 leaves it running
	@cargo run --quiet --locked -p sluice-tests --bin demo -- $(if $(KEEP),--keep)

demo-clean: root build ## remove a demo that KEEP=1 left running (root)
	@cargo run --quiet --locked -p sluice-tests --bin demo -- --clean

test: root build ## every test, the labs in network namespaces included (root)
	@cargo test --workspace --locked --no-fail-fast

conformance: root build ## the same frames to Linux's IPVS and to Sluice (root); ONLY="words" plays some, WRITE=1 writes the page
	@cargo run --quiet --locked -p sluice-tests --bin conformance -- $(if $(WRITE),--write) $(ONLY)

lint: setup ## formatting, shell scripts, the crates' layering, clippy, dependencies
	@cargo fmt --all --check
	@shellcheck $(SCRIPTS)
	@$(MAKE) layers
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(MAKE) deny
	@echo "lint: clean"

layers: # the arrows between crates that ARCHITECTURE.md draws, held with cargo tree
	@cargo test --quiet --locked -p sluice-tests --test layers

# Built where it is missing: about three minutes of CPU time. The advisories come from the network, all else is here.
deny: # licences, sources and advisories of the dependencies
	@command -v cargo-deny > /dev/null || { echo "lint: building cargo-deny, once"; \
	cargo install --quiet --locked cargo-deny@$(CARGO_DENY); }
	@cargo deny --log-level error check licenses bans sources
	@if cargo deny --log-level off fetch db > /dev/null 2>&1; then cargo deny --log-level error check advisories; \
	else echo "lint: the advisory database cannot be fetched: advisories were NOT checked"; fi

bench: setup ## sluiced beside testpmd on the same device (root); QUICK=1 for a first look
	@cargo run --release --quiet --locked -p sluice-bench --bin lab

bench-stages: ## the stages of the packet path, in cycles (criterion)
	@cargo bench --locked -p sluice-bench

clean: ## remove what was built
	@cargo clean
