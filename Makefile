# The project's commands; each works from nothing on a fresh Debian 12.
.PHONY: demo test build lint clean
PYTHON := /usr/bin/python3

build:
	scripts/install build test
	cmake --preset release >/dev/null && cmake --build --preset release

demo: build
	scripts/install servers
	$(PYTHON) -B scripts/demo

test: build
	scripts/install servers
	build/release/unit_tests --gtest_brief=1
	for version in 8.0 8.1 9; do scripts/servers $$version || exit 1; done
	$(PYTHON) -B -m pytest tests/integration

lint:
	scripts/install lint
	shellcheck scripts/install scripts/servers

clean:
	rm -rf build
