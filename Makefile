# The project's commands; each works from nothing on a fresh Debian 12.
.PHONY: test lint clean
PYTHON := /usr/bin/python3

test:
	scripts/install build servers test
	cmake --preset release >/dev/null && cmake --build --preset release
	for version in 8.0 8.1 9; do scripts/servers $$version || exit 1; done
	$(PYTHON) -B -m pytest tests/integration

lint:
	scripts/install lint
	shellcheck scripts/install scripts/servers

clean:
	rm -rf build
