# make demo: the main job on real images; make test: everything that must hold. Both set up .venv first.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
EXAMPLES := examples/bioimageit_onefile examples/bioimageit_nice examples/bioimageit_toml examples/bioimageit_blobs
# temporary files lie in memory where there is room: databases and containers wait for a disk at every commit
MEMORY := $(shell df --output=avail -BG /dev/shm 2>/dev/null | awk 'NR == 2 && int($$1) >= 8 {print "/dev/shm"}')
PYTEST := $(if $(MEMORY),TMPDIR=$(MEMORY) )$(CURDIR)/$(BIN)/pytest -q -o tmp_path_retention_policy=failed
PARALLEL := -n auto --dist worksteal --durations=20
LOWEST_TESTS := $(addprefix tests/,core containers api store plugins cli jobs wrappers images toolbox)
export UV_LINK_MODE ?= copy
# tests start hundreds of processes: each would compile all it imports
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check lint types layers security docs web unit regression coverage lowest format fuzz bench services clean

demo: $(VENV)/.demo
	$(BIN)/bioimageit demo

test: services
	$(MAKE) -j 2 check web
	$(MAKE) unit regression

check: lint types layers security docs

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

security: $(VENV)/.dev
	$(BIN)/bandit -q -c pyproject.toml -r src plugins/*/src
	$(BIN)/python scripts/audit_dependencies.py

docs: $(VENV)/.dev
	$(BIN)/zensical build --clean --strict

# what `bioimageit serve` shows, from frontend/; without npm there is none, and tests that need it are skipped
web:
	$(PYTHON) scripts/build_page.py

unit: $(VENV)/.dev
	$(PYTEST) $(PARALLEL) tests examples
	$(BIN)/python tests/fuzz/coverage_guided.py --runs 3000
	$(PYTEST) docs  # the blocks of a page build on each other: no workers here
	$(PYTEST) --doctest-modules --ignore=src/bioimageit_core/toolbox --ignore=src/bioimageit_core/testing src
	set -e; for plugin in $(PLUGINS); do (cd $$plugin && $(PYTEST) $(PARALLEL)); done

# ratios to a floor at a small size, in processor time: a cost that was doubled fails
regression: $(VENV)/.dev
	$(BIN)/python benchmarks/local/regression.py

coverage: $(VENV)/.dev
	$(PYTEST) $(PARALLEL) --cov --cov-branch --cov-report=term tests

# the oldest versions that pyproject.toml allows, against the tests of what is made with them
lowest: | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)-lowest
	$(UV) pip install --quiet --resolution lowest-direct --python $(VENV)-lowest/bin/python \
		-e '.[toolbox,images,formats,ro-crate,tables,web,testing]' 'pytest-xdist>=3.6' 'h5py>=3.12'
	$(VENV)-lowest/bin/python -m pytest -q $(PARALLEL) $(LOWEST_TESTS)

# servers and programs that tests talk to; without the means to install them the tests that need them are skipped
services:
	scripts/install_services.sh

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# bytes that break a reader, looked for as long as one likes: make fuzz SECONDS=3600
fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz/coverage_guided.py --seconds $(or $(SECONDS),60)

bench: $(VENV)/.dev
	set -e; for benchmark in benchmarks/local benchmarks/*.py; do $(BIN)/python $$benchmark; done

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

$(BIN)/python: | $(UV)
	$(UV) venv --quiet --seed --allow-existing --python $(PYTHON) $(VENV)  # with pip, which users call there

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(UV) pip install --quiet --python $(BIN)/python -e '.[toolbox,images]'
	touch $@

$(VENV)/.dev: pyproject.toml $(PLUGINS:%=%/pyproject.toml) $(EXAMPLES:%=%/pyproject.toml) | $(BIN)/python
	$(UV) pip install --quiet --python $(BIN)/python -e '.[dev,docs]' -e 'plugins/bioimageit_sql[postgresql]' \
		-e plugins/bioimageit_http -e plugins/bioimageit_omero -e plugins/bioimageit_dask -e plugins/bioimageit_batch \
		$(EXAMPLES:%=-e %)
	wheel=$$($(BIN)/python plugins/bioimageit_omero/scripts/prepare_ice.py --python $(BIN)/python) && \
		$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python "$$wheel" omero-py tables || \
		echo "the OMERO client cannot be installed here: the tests that need it are skipped"
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) $(VENV)-lowest .uv .mypy_cache .ruff_cache .pytest_cache site frontend/node_modules src/bioimageit_core/web/static
