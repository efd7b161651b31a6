# The project's commands; each works from nothing on a fresh Debian 12.
.PHONY: demo test check bench build binding lint analyze format clean
PYTHON := /usr/bin/python3
PYTEST := $(PYTHON) -B -m pytest tests/integration
SOURCES = $(shell git ls-files '*.cc' '*.h')

build:
	scripts/install build test
	cmake --preset release >/dev/null && cmake --build --preset release

demo: build
	scripts/install servers
	$(PYTHON) -B scripts/demo

# Most tests wait for a server rather than compute: more of them at a time than there are cores. Those that compare CPU
# clocks follow alone.
WORKERS ?= 3
test: build
	scripts/install servers browser deploy
	$(MAKE) --no-print-directory binding
	build/release/unit_tests --gtest_brief=1
	for version in 8.0 8.1 9; do scripts/servers $$version || exit 1; done
	$(PYTEST) -n $(WORKERS) -m 'not clocks and not long'; others=$$?; $(PYTEST) -m 'clocks and not long' && exit $$others

bench: build
	scripts/install servers bench
	$(PYTHON) -B benchmarks/overhead

# Compiles if and only if our binding agrees with the official headers.
binding:
	@for version in 8.1 9; do \
	    header=$$(scripts/servers --header $$version) && \
	    $(CXX) -std=c++20 -fsyntax-only -Wall -Werror -I. -isystem "$$header" server_api/binding_test.cc && \
	    echo "server_api/ agrees with valkeymodule.h of $$version" || exit 1; \
	done

# What takes longer than every change can wait for, some 10 minutes.
check: analyze

# clang-tidy reads the code as clang compiles it, a dozen files at a time, since most of it is the headers; in a folder of
# its own, so it may run beside a build.
TIDY = cmake --preset release -B build/lint -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=12 >/dev/null && \
	sed -n 's/^ *"file": "\(.*\)".*/\1/p' build/lint/compile_commands.json | grep -v unit_tests | xargs -P2 -n1 clang-tidy -p build/lint --quiet
lint:
	scripts/install build lint
	shellcheck .ci/run scripts/install scripts/servers
	pyflakes3 scripts/demo deploy/grafana/generate $$(git ls-files benchmarks) tests/integration/*.py
	clang-format --dry-run --Werror $(SOURCES)
	$(TIDY) --checks='-clang-analyzer-*'

# With clang's static analyzer, which takes two thirds of clang-tidy's time.
analyze:
	scripts/install build lint
	$(TIDY)

format:
	scripts/install lint
	clang-format -i $(SOURCES)

clean:
	rm -rf build
