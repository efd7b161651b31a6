# The project's commands; each works from nothing on a fresh Debian 12.
.PHONY: demo test package servers check bench guard fuzz sanitized reliability coverage compat faults soak build binding lint analyze format clean
PYTHON := /usr/bin/python3
PYTEST := $(PYTHON) -B -m pytest tests/integration
SOURCES = $(shell git ls-files '*.cc' '*.h')

build:
	scripts/install build test page
	cmake --preset release >/dev/null && cmake --build --preset release

demo:
	scripts/install build servers page
	@echo 'make demo: builds the module and the program, which takes two minutes the first time'
	cmake --preset release >/dev/null && cmake --build --preset release --target tenants valkey-tenants
	scripts/install demo || echo 'make demo: without Prometheus, which can not be installed here, no alert will fire'
	$(PYTHON) -B scripts/demo

# Most tests wait for a server rather than compute: with two cores six of them at a time take three quarters of what four
# take. Those that compare CPU clocks follow alone.
WORKERS ?= 6
test:
	scripts/install build test servers browser deploy page
	$(MAKE) --no-print-directory -j2 build servers
	$(MAKE) --no-print-directory binding
	build/release/unit_tests --gtest_brief=1
	$(PYTEST) -n $(WORKERS) -m 'not clocks and not long'; others=$$?; $(PYTEST) -m 'clocks and not long' && exit $$others

# build/valkey-tenants_VERSION_ARCHITECTURE.deb, the same bytes for the same commit and compiler.
package: build
	scripts/install package
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) cpack --config build/release/CPackConfig.cmake -B build >/dev/null
	@ls build/*.deb

# Fetches what the tests run on.
servers:
	scripts/install servers
	for version in 8.0 8.1 9 redis-8 '--header 8.1' '--header 9'; do scripts/servers $$version || exit 1; done

# What takes longer than every change can wait for, an hour on two cores: clang's static analyzer, the parsers and
# the calls under sanitizers, the long tests on every server, Redis too, a part of Valkey's own test-suite, the table of faults, and
# both commands of the README in a Debian without anything.
check: analyze build servers sanitized
	scripts/install browser deploy compat
	$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=30
	$(PYTHON) -B tests/fuzz/calls --calls 1000000
	$(PYTEST) -n $(WORKERS) -m 'not clocks' --every-server --servers redis-8,8.0,8.1,9 --steps 5000 --prefixes 2000000 --cycles 100 --samples 1000
	$(PYTHON) -B tests/compat/run 9 --slice --clients 4
	$(MAKE) --no-print-directory faults
	tests/clean_room
	$(MAKE) --no-print-directory package
	tests/clean_room --package build/valkey-tenants_*.deb

# Some 10 minutes; each line by itself, with other options: docs/benchmarks.md.
bench:
	scripts/install servers bench
	$(MAKE) --no-print-directory build
	$(PYTHON) -B benchmarks/overhead
	$(PYTHON) -B benchmarks/overhead --kinds bare,again,empty,common,defaults,everything --depths 64 \
	    --commands insert,hset,lrange,multi,eval,publish
	$(PYTHON) -B benchmarks/overhead --kinds bare,again,floor,common,defaults --depths 1,64 --connections 16,500,2000,5000 --users 50 --starts 3
	$(PYTHON) -B benchmarks/overhead --kinds bare,again,common,defaults --depths 1,64 --io-threads 2 --starts 3
	$(PYTHON) -B benchmarks/latency
	$(PYTHON) -B benchmarks/accuracy
	$(PYTHON) -B benchmarks/instructions
	build/release/micro

# Counts instructions, which noise can't change; also one of `make test`.
guard: build
	scripts/install servers bench
	$(PYTHON) -B benchmarks/instructions --check

# The newest server, the module and those of the tests with GCC's sanitizers; test_sanitizers.py and test_fuzz.py need them.
SANITIZERS ?= asan
sanitized:
	scripts/install build servers
	for preset in $(SANITIZERS); do \
	    scripts/servers 9-$$preset && cmake --preset $$preset >/dev/null && \
	    cmake --build --preset $$preset --target tenants logins faults lacking upstream scarce clock || exit 1; \
	done

# The integration tests on them, all of them with each sanitizer; takes an hour. The tool runs with it, too.
reliability: SANITIZERS := asan tsan
reliability: sanitized
	scripts/install test browser
	for preset in $(SANITIZERS); do \
	    cmake --build --preset $$preset --target valkey-tenants && \
	    TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan_suppressions \
	    $(PYTEST) -n $(WORKERS) --servers 9-$$preset --module build/$$preset/tenants.so || exit 1; \
	done

# What the tests run of module and tool, and what they don't; takes half an hour.
coverage:
	scripts/install build test servers browser deploy coverage
	cmake --preset coverage >/dev/null && cmake --build --preset coverage
	find build/coverage -name '*.gcda' -delete
	build/coverage/unit_tests --gtest_brief=1
	for version in 8.1 9; do scripts/servers $$version || exit 1; done
	$(PYTEST) -n $(WORKERS) --servers 8.1,9 --module build/coverage/tenants.so; passed=$$?; \
	tests/coverage build/coverage module/accounting module/sweep module/publish && exit $$passed

# Every fault there is a test for, as one table.
SEEDS ?= 1
faults: build
	scripts/install servers
	tests/faults/matrix --seeds $(SEEDS)

# Hours of traffic with a fault every half minute.
HOURS ?= 1
soak: build
	scripts/install servers
	tests/faults/soak --hours $(HOURS)

# Valkey's own test-suite with and without the module; takes hours.
compat: build
	scripts/install servers compat
	$(PYTHON) -B tests/compat/run 9
	$(PYTHON) -B tests/compat/run 9 --io-threads
	$(PYTHON) -B tests/compat/run 8.1

# Each parser under libFuzzer, for so many seconds each, one per core at a time; what made one fail stays in build/fuzz/found/.
FUZZ_SECONDS ?= 600
fuzz:
	scripts/install build fuzz
	cmake --preset fuzz >/dev/null && cmake --build --preset fuzz
	tests/fuzz/run $(FUZZ_SECONDS)

# Compiles if and only if our binding agrees with the official headers.
binding:
	@for version in 8.1 9; do \
	    header=$$(scripts/servers --header $$version) && \
	    $(CXX) -std=c++20 -fsyntax-only -Wall -Werror -I. -isystem "$$header" server_api/binding_test.cc && \
	    echo "server_api/ agrees with valkeymodule.h of $$version" || exit 1; \
	done

# clang-tidy reads the code as clang compiles it, a dozen files at a time, since most of it is the headers; in a folder of
# its own, so it may run beside a build.
TIDY = cmake --preset release -B build/lint -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=12 >/dev/null && \
	sed -n 's/^ *"file": "\(.*\)".*/\1/p' build/lint/compile_commands.json | grep -Ev 'unit_tests|_test|micro' | xargs -P2 -n1 clang-tidy -p build/lint --quiet
lint:
	scripts/install build lint
	shellcheck .ci/run scripts/install scripts/servers tests/fuzz/run tests/clean_room
	pyflakes3 scripts/demo deploy/grafana/generate deploy/grafana/picture deploy/kubernetes/generate $$(git ls-files benchmarks | grep -Ev '\.(cc|json)$$') tests/integration/*.py tests/compat/run tests/coverage tests/fuzz/calls tests/fuzz/words.py tests/faults/matrix tests/faults/soak
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
