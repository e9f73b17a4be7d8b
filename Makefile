# Handfast's front door. Each target does all of its own set-up on a fresh Debian 12.
# The builds lie in build/PRESET (see CMakePresets.json).

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

HOURS ?= 1
SECONDS_EACH := $(if $(filter command,$(origin SECONDS)),$(SECONDS),60)
PREFIX ?= /usr/local
OTHER_BUILDS := gcc-debug gcc-asan clang-release tsan long i386 s390x
DEPS := tools/install-deps.sh
BUILD := tools/build

.PHONY: help demo test test-all check conformance attacks mutate seeded coverage bench recovery packetdrill packetdrill-adapter fuzz soak install deb clean

help: ## what there is
	@awk -F ': ## ' '/^[a-z-]+: ## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: ## a real handshake, transfer and close with the Linux kernel, drawn as it happens
	@$(DEPS) build demo
	@$(BUILD) release handfast
	@build/release/handfast demo

test: ## gcc release with assertions, and clang with ASan and UBSan (under ten minutes)
	@$(DEPS) build clang test
	@$(BUILD) release
	@$(BUILD) clang-asan
	@tools/ctest-all test release clang-asan

test-all: ## the other compilers and sanitizers, TSan, i386, s390x, longer seeds (under 45 minutes)
	@$(DEPS) build clang test cross
	@tools/foreign-root i386
	@tools/foreign-root s390x
	@for preset in $(OTHER_BUILDS); do $(BUILD) $$preset; done
	@tools/ctest-all test-all $(OTHER_BUILDS)

check: ## format, lint, include rule, size limits, purity
	@$(DEPS) build clang check
	@tools/check

conformance: ## CONFORMANCE.md from the tags, and whether each requirement has its answer
	@$(DEPS) build
	@tools/conformance

attacks: ## the tests of doc/attacks.csv at full size, row by row; JSON=1: one object per row
	@$(DEPS) build test $(if $(JSON),>&2)
	@$(BUILD) release $(if $(JSON),>&2)
	@tools/attacks $(if $(JSON),--json)

mutate: ## small changes of the core, one at a time, that a test must notice; resumable
	@$(DEPS) build
	@tools/mutate

seeded: ## the bugs of test/seeded/, one at a time, each of which a test must find; resumable
	@$(DEPS) build test
	@tools/seeded --table doc/seeded.md

bench: ## the speed beside the kernel and lwIP, into doc/performance.md; FIGURES="..." some alone
	@$(DEPS) build fuzz test bench
	@$(BUILD) ship handfast
	@$(BUILD) release handfast
	@tools/bench $(FIGURES)

recovery: ## loss recovery beside the kernel's, into doc/recovery.md; root, resumable, 35 minutes
	@$(DEPS) build test
	@$(BUILD) ship bench_recovery
	@tools/recovery

packetdrill-adapter: ## the shared object that plays packetdrill's scripts against the core
	@$(DEPS) build
	@$(BUILD) release packetdrill-adapter
	@echo build/release/packetdrill/packetdrill-adapter.so

packetdrill: ## packetdrill's scripts; HF_PACKETDRILL and HF_PACKETDRILL_SCRIPTS say where it is
	@$(DEPS) build
	@$(BUILD) release packetdrill-adapter
	@test/packetdrill/run.py

coverage: ## lines and branches of the core that the tests reach, into doc/verification.md
	@$(DEPS) build clang test
	@tools/coverage --write

fuzz: ## libFuzzer with sanitizers on each fuzz target; SECONDS=n of processor time each, resumable
	@$(DEPS) build clang fuzz
	@$(BUILD) fuzz fuzzers
	@tools/fuzz --seconds $(SECONDS_EACH)

soak: ## the long tests, again and again, for HOURS=n
	@$(DEPS) build test
	@$(BUILD) long
	@tools/soak $(HOURS)

install: ## the library, headers, program and man pages under PREFIX (or DESTDIR)
	@$(DEPS) build
	@$(BUILD) ship
	@cmake --install build/ship --prefix $(PREFIX)

deb: ## a Debian package in build/
	@$(DEPS) build package
	@$(BUILD) ship
	@cd build && cpack --config ship/CPackConfig.cmake -B "$$PWD"

clean: ## forget every build
	@rm -rf build
