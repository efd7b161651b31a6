# The project's commands; each works from nothing on a fresh Debian 12.
.PHONY: demo test bench build binding lint format clean
PYTHON := /usr/bin/python3
SOURCES = $(shell git ls-files '*.cc' '*.h')

build:
	scripts/install build test
	cmake --preset release >/dev/null && cmake --build --preset release

demo: build
	scripts/install servers
	$(PYTHON) -B scripts/demo

test: build
	scripts/install servers
	$(MAKE) --no-print-directory binding
	build/release/unit_tests --gtest_brief=1
	for version in 8.0 8.1 9; do scripts/servers $$version || exit 1; done
	$(PYTHON) -B -m pytest tests/integration

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

lint:
	scripts/install build lint
	shellcheck .ci/run scripts/install scripts/servers
	pyflakes3 scripts/demo $$(git ls-files benchmarks) tests/integration/*.py
	clang-format --dry-run --Werror $(SOURCES)
	cmake --preset release >/dev/null && mkdir -p build/lint
	sed 's/ -fno-gnu-unique//' build/release/compile_commands.json >build/lint/compile_commands.json  # GCC's own
	git ls-files 'module/*.cc' 'server_api/*.cc' 'tests/*.cc' | grep -v _test | xargs -P2 -n4 clang-tidy -p build/lint --quiet

format:
	scripts/install lint
	clang-format -i $(SOURCES)

clean:
	rm -rf build
