# The two commands: `make certify` (the main job on the embedded lab) and `make test` (all tests).
# Both set up what they need: a virtual environment here, Debian packages by apt-get.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo "sudo --preserve-env=HOME,XDG_CACHE_HOME,CI")
GUIDELINE ?= 2026.11
LAB ?= default
ONLY ?=
SELECT ?=
PYTEST_ARGS ?=

PACKAGES := busybox conntrack dnsmasq-base dropbear-bin e2fsprogs extlinux genisoimage ipmitool iproute2 iputils-ping ipxe-qemu \
	mmdebstrap nftables openssh-client procps python3-venv qemu-system-x86 qemu-utils \
	syslinux-common systemd-container zstd

.PHONY: help setup packages venv kubernetes certify test fuzz bench lint clean

help:
	@echo "make certify   stand the reference workload up on the lab's platforms, check, judge, report"
	@echo "                 on all of them, or on some: ONLY=metal,aws"
	@echo "make test      all tests (the lab's too)"
	@echo "make lint      ruff and mypy"
	@echo "make kubernetes   compile the lab's Kubernetes, once; certify and test then include it"
	@echo "make fuzz      long random runs: crash schedules, hostile files"
	@echo "make bench     measurements, as tables"

# Packages and Python packages are fetched side by side.
setup:
	@$(MAKE) --no-print-directory -j2 packages venv

packages: $(VENV)/packages.done

$(VENV)/packages.done: Makefile
	@mkdir -p $(VENV)
	@command -v apt-get >/dev/null || { echo "make: needs Debian 12 (apt-get is not here)"; exit 2; }
	@[ "$$(id -u)" = 0 ] || command -v sudo >/dev/null || { echo "make: needs root, or a user with sudo"; exit 2; }
	@missing=$$({ dpkg-query -W -f '$${db:Status-Status} $${Package}\n' $(PACKAGES) 2>/dev/null || true; } | sed -n 's/^installed //p' \
	  | sort -u | comm -13 - <(printf '%s\n' $(PACKAGES) | sort -u)); \
	if [ -n "$$missing" ]; then \
	  echo "installing Debian packages:" $$missing; \
	  $(SUDO) apt-get -qq update >/dev/null; \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing >$(VENV)/apt.log 2>&1 \
	    || { tail -n 5 $(VENV)/apt.log; exit 1; }; \
	fi
	@touch $@

venv: $(VENV)/venv.done

$(VENV)/venv.done: pyproject.toml Makefile
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: needs Python 3.11 or newer as python3"; exit 2; }
	@python3 -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory packages
	@echo "installing Python packages"
	@[ -x $(BIN)/python ] || python3 -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]' 2>&1 | grep -v '^WARNING: Location' || true
	@$(BIN)/interop --version >/dev/null
	@touch $@

# The tests look at the site in a browser; where there is none, those that need it are skipped.
$(VENV)/browser.done: | setup
	@command -v chromium >/dev/null || { echo "installing a browser"; $(SUDO) apt-get -qq update >/dev/null; \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium >$(VENV)/browser.log 2>&1 \
	    || tail -n 3 $(VENV)/browser.log; }
	@touch $@

# From Debian's source package, kept in the cache: 10 to 20 minutes the first time, none later.
kubernetes: setup
	@$(SUDO) $(BIN)/interop lab build kubernetes --install

# The lab is taken down whatever happens; the exit code is the verdict's.
certify: setup
	@$(SUDO) $(BIN)/python -P -m harness.certify --lab $(LAB) --guideline $(GUIDELINE) $(addprefix --only ,$(ONLY)) $(addprefix --select ,$(SELECT))

test: setup $(VENV)/browser.done
	@$(SUDO) $(BIN)/python -P -m pytest $(PYTEST_ARGS)

lint: venv
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/mypy --strict tests

fuzz: setup
	@$(BIN)/python -P -m pytest -m fuzz -p no:randomly tests/fuzz_*.py $(PYTEST_ARGS)

bench: setup
	@for file in tests/bench_*.py; do $(SUDO) $(BIN)/python -P $$file || exit 1; done

clean:
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .hypothesis
