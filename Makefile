# The front door. `make help` lists what there is; CMakePresets.json and scripts/ do the work.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
AQ_WERROR ?= OFF
TYPES ?= int8,int4,int2
RESULTS ?= validation_results
QUALITY ?=
ROOM ?=
export JOBS AQ_WERROR

MODEL := .cache/models/all-MiniLM-L6-v2
TEXTS := .cache/texts
ARROWQUANT := build/release/arrowquant
CMAKE_BUILD = cmake --build --preset $(1) -j $(JOBS) -- --no-print-directory -s

.PHONY: help build demo model test check install bench bench-embed bench-quality bench-decoder bench-encoders bench-generate fmt lint asan tsan coverage fuzz clean distclean

help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 15

build: ## the library and the command, in build/release
	@scripts/setup-system build
	@cmake --preset release -DAQ_WERROR=$(AQ_WERROR) -DAQ_BUILD_TESTS=OFF >/dev/null
	@$(call CMAKE_BUILD,release)
	@echo "Built $(ARROWQUANT)"

model: ## fetch all-MiniLM-L6-v2 into .cache/models (done by demo and test)
	@scripts/fetch-model

demo: build model ## set up everything, validate the real model, print the summary
	@$(ARROWQUANT) validate $(MODEL) --types $(TYPES) --output-dir $(RESULTS)
	@test -s $(RESULTS)/validation_summary.md
	@echo "The whole report: $(RESULTS)/validation_summary.md (the numbers: $(RESULTS)/validation.json)"

test: ## set up everything, run every test
	@scripts/setup-system build venv test lint
	@scripts/test all

check: ## the quick tests: GCC only, unit and command-line tests (ROOM=parquet: the unit tests of one room)
	@scripts/setup-system build venv test lint
	@if [ -n "$(ROOM)" ]; then scripts/test room "$(ROOM)"; else scripts/test quick; fi

install: build ## into PREFIX (DESTDIR is honoured)
	@cmake --install build/release --prefix $(PREFIX) >/dev/null
	@echo "Installed into $(DESTDIR)$(PREFIX)"

bench: build model ## speed against pyarrow + torch, and memory on a model of 4 GB
	@scripts/setup-system venv
	@scripts/setup-python bench/requirements.txt
	@.venv/bin/python bench/bench_quantize.py --command $(ARROWQUANT) --model $(MODEL)/model.safetensors
	@.venv/bin/python bench/bench_memory.py --command $(ARROWQUANT)

bench-embed: build model ## texts to vectors, beside sentence-transformers and ONNX Runtime
	@scripts/setup-system venv
	@scripts/setup-python bench/requirements-embed.txt
	@.venv/bin/python bench/bench_embed.py $(MODEL) --command $(ARROWQUANT)

bench-quality: build model ## quality against size, beside other quantizers (QUALITY=--quick)
	@scripts/setup-system venv
	@scripts/setup-python bench/requirements-quality.txt
	@test -s $(TEXTS)/labels-words.tsv || .venv/bin/python bench/texts.py $(TEXTS)
	@.venv/bin/python bench/bench_quality.py $(MODEL) --texts $(TEXTS) --command $(ARROWQUANT) $(QUALITY)
	@.venv/bin/python bench/quality_tensors.py --model all-MiniLM-L6-v2=$(MODEL) --command $(ARROWQUANT)

bench-decoder: build ## language models: KL against size, beside llama.cpp (QUALITY=--quick)
	@scripts/setup-system venv
	@VENV=.venv-decoder scripts/setup-python bench/requirements-decoder.txt
	@.venv-decoder/bin/python bench/bench_decoder.py --command $(ARROWQUANT) $(QUALITY)

bench-generate: build ## tokens a second of language models in codes, beside llama.cpp
	@scripts/setup-system venv
	@VENV=.venv-decoder scripts/setup-python bench/requirements-decoder.txt
	@.venv-decoder/bin/python bench/bench_generate.py --command $(ARROWQUANT)

bench-encoders: build ## data-free targets on three encoders (QUALITY=--quick)
	@scripts/setup-system venv
	@VENV=.venv-decoder scripts/setup-python bench/requirements-decoder.txt
	@test -s $(TEXTS)/labels-words.tsv || .venv-decoder/bin/python bench/texts.py $(TEXTS)
	@.venv-decoder/bin/python bench/bench_encoders.py --texts $(TEXTS) --command $(ARROWQUANT) $(QUALITY)

fmt: ## lay out the C sources
	@scripts/setup-system lint
	@scripts/format

lint: ## clang-tidy (advice)
	@scripts/setup-system build test lint
	@scripts/lint

asan tsan: ## the unit tests under a sanitizer
	@scripts/setup-system build test
	@scripts/test $@

coverage: ## line coverage of the unit tests, by room
	@scripts/setup-system build test
	@scripts/coverage

fuzz: ## fuzz every target for a while
	@scripts/setup-system build test
	@scripts/fuzz

clean: ## remove what was built
	rm -rf build validation_results

distclean: clean ## remove what was fetched as well
	rm -rf .venv .venv-reference .venv-decoder .cache
