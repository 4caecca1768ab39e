# The verbs. Each sets up what is missing (tools/setup; SETUP=no turns that off) and hands over to
# CMake, with a build directory for every configuration.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
CMAKE_FLAGS ?=
export SETUP FUZZ_SECONDS
MAKEFLAGS += --no-print-directory

generator = $(if $(shell command -v ninja),-G Ninja)
# $(call configure,DIRECTORY,OPTIONS)
configure = cmake -S . -B build/$(1) $(if $(wildcard build/$(1)/CMakeCache.txt),,$(generator)) \
    -DDEEPER_PYTHON="$(CURDIR)/build/python" --log-level=WARNING $(2) $(CMAKE_FLAGS)
compile = cmake --build build/$(1) --parallel $(JOBS) --target
quietly = >/dev/null
# $(call ctest,DIRECTORY,SELECTION): runs tests, then says why some were skipped.
ctest = ctest --test-dir build/$(1) --output-on-failure --no-tests=error -j $(JOBS) $(2); \
    status=$$?; sed -n 's/^skipped: /  skipped: /p' build/$(1)/Testing/Temporary/LastTest.log; \
    exit $$status
clang = -DCMAKE_C_COMPILER=clang

.PHONY: help build demo test test-long asan tsan fuzz bench bench-peers clang format lint install info clean
.NOTPARALLEL:

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo "  SETUP=no: install nothing. CMAKE_FLAGS=…: options for CMake (see make info)."

build: ## build the libraries and the command, build/release/deeper
	@tools/setup build
	@$(call configure,release) $(quietly)
	@$(call compile,release) all

demo: build ## make the letters data set, train a network on it, and look at the result
	@tools/demo

test: ## build and run all tests but the long ones
	@tools/setup build test
	@$(call configure,release,-DDEEPER_TESTS=ON) $(quietly)
	@$(call compile,release) all tests
	@$(call ctest,release,-LE long)

test-long: ## run the long tests: kills under sanitizers, many seeds, long fuzzing
	@tools/setup build test sanitize
	@$(call configure,release,-DDEEPER_TESTS=ON) $(quietly)
	@$(call compile,release) all tests
	@$(call configure,asan,$(clang) -DDEEPER_TESTS=ON -DDEEPER_SANITIZE=address$(comma)undefined) $(quietly)
	@$(call compile,asan) all tests
	@$(call ctest,release,-L long)
	@$(call ctest,asan,-L long)
	@$(MAKE) fuzz FUZZ_SECONDS=600

asan: ## run the tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/setup build test sanitize
	@$(call configure,asan,$(clang) -DDEEPER_TESTS=ON -DDEEPER_SANITIZE=address$(comma)undefined) $(quietly)
	@$(call compile,asan) all tests
	@$(call ctest,asan,-L '^(unit|grad|kernel|cli|hostile)$$' -LE long)

tsan: ## run the tests labelled "threads" with ThreadSanitizer
	@tools/setup build test sanitize
	@$(call configure,tsan,$(clang) -DDEEPER_TESTS=ON -DDEEPER_SANITIZE=thread) $(quietly)
	@$(call compile,tsan) all tests
	@$(call ctest,tsan,-L '^threads$$' -LE long)

fuzz: ## run every fuzz target for FUZZ_SECONDS (30)
	@tools/setup build fuzz
	@$(call configure,fuzz,$(clang) -DDEEPER_FUZZ=ON -DDEEPER_SANITIZE=fuzzer-no-link$(comma)address$(comma)undefined) $(quietly)
	@$(call compile,fuzz) fuzzers
	@tools/fuzz build/fuzz

bench: build ## run the benchmarks of bench/
	@$(call compile,release) benches
	@for bench in build/release/benches/*; do \
	    [ -x "$$bench" ] || { echo "no benchmarks in bench/"; exit 1; }; "$$bench" || exit 1; done

bench-peers: build ## time PyTorch and ONNX Runtime beside deeper; MNIST=DIR runs whole trainings, too
	@tools/setup build bench-peers
	@[ -x build/peers/bin/python ] || python3 -m venv build/peers
	@build/peers/bin/pip install --quiet --requirement bench/peers/requirements.txt
	@build/peers/bin/python bench/peers/compare.py $(if $(MNIST),--data "$(MNIST)") --markdown docs/performance.md

clang: ## build everything with clang, warnings as errors
	@tools/setup build test sanitize
	@$(call configure,clang,$(clang) -DDEEPER_TESTS=ON -DDEEPER_WERROR=ON) $(quietly)
	@$(call compile,clang) all tests

format: ## format all C sources in place
	@tools/setup lint
	@find . -name build -prune -o -name '*.[ch]' -print0 | xargs -0 clang-format -i

lint: ## clang-tidy, cppcheck, formatting and the project's own checks
	@tools/setup build test lint
	@$(call configure,release,-DDEEPER_TESTS=ON) $(quietly)
	@$(call compile,release) all
	@tools/lint build/release
	@$(call ctest,release,-L '^lint$$')

install: build ## install under PREFIX (/usr/local); DESTDIR is put before it
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

info: ## print the configuration: compiler, flags, libraries found
	@tools/setup build
	@$(call configure,release) $(quietly)
	@cat build/release/info.txt

clean: ## remove all builds, the demo's data and models
	@rm -rf build

comma := ,
