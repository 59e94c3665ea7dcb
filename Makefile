# make demo | test | lint | clean | lock
# PYTHON is any Python 3.11 or later; the environment is made once in .venv and again when the lock changes.

PYTHON ?= python3
CORES ?= all
PYTEST_FLAGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TORCH := torch==2.13.0
UV := uv==0.13.8
SOURCES := src tests benchmarks
WORKFLOW := Snakefile workflow/rules

.DEFAULT_GOAL := demo
.PHONY: demo test lint clean lock environment debian-packages

# The shipped configuration is the demonstration. The last line is the page to open.
demo: $(READY)
	@$(BIN)/snakemake --cores $(CORES)
	@echo "$(CURDIR)/results/index.html"

# One worker per core. A file's tests stay together and in order: they share what is slow to make.
test: $(READY) debian-packages
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

lint: $(READY)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/snakefmt --check $(WORKFLOW)
	$(BIN)/snakemake --lint
	$(BIN)/lint-imports

environment: $(READY)

# torch first, by pip: its builds differ by machine, so it stands in no lock; the rest by a pinned uv. Bytecode is made
# here: each step is a process, and where PYTHONDONTWRITEBYTECODE is set each would compile what it imports anew.
$(READY): requirements.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, " + \
	    sys.executable + " is " + sys.version.split()[0] + "; name one: make PYTHON=python3.11")'
	@echo "Making the environment in $(VENV)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check $(UV) $(TORCH)
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --compile-bytecode --require-hashes \
	    -r requirements.txt
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip check --quiet
	@touch $(READY)

debian-packages:
	@{ command -v gdalinfo && command -v gdal_rasterize; } >/dev/null || \
	    { echo 'make test: gdalinfo is missing; tests compare with it. Debian: apt-get install gdal-bin' >&2; exit 1; }

# Without an old lock beside it, else uv keeps the old versions. UV_FIND_LINKS: uv does not read pip's.
lock:
	@rm -f requirements.txt
	@echo '$(TORCH)' | UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(BIN)/uv pip compile --quiet pyproject.toml --extra dev \
	    --constraint - --no-emit-package torch --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links --output-file requirements.txt
	@$(BIN)/python envs/from_lock.py

# All that can be made again. archive/ stays: it may hold declarations and products of yours.
clean:
	rm -rf $(VENV) build results logs .snakemake .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
	    .hypothesis src/cropstack.egg-info
