# `make` alone says what there is. All of it needs Python 3.11 or newer, and most a package registry.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EDGE := $(BIN)/mnist-edge
DEMO := runs/demo

.PHONY: help demo test test-web lint format fuzz crash floors gpu clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.train ## install (5.4 GB with CUDA), then train -> export --int8 -> bench, in runs/demo
	@echo "looking for MNIST (11 MB are downloaded if it is nowhere here)"
	@if reason=$$($(EDGE) data mnist 2>&1 >/dev/null); then \
	  set -- --dataset mnist --epochs 6; \
	else \
	  echo "MNIST is not at hand ($${reason#error: }): the demo uses the embedded digits instead"; \
	  set -- --dataset digits; \
	fi; \
	$(EDGE) train "$$@" --out $(DEMO)
# One of the 382 test digits is 0.26 points: --max-drop leaves int8 room for four of them.
	$(EDGE) export $(DEMO) --int8 --out $(DEMO) --force --max-drop 1
	$(EDGE) bench $(DEMO)/edge.onnx $(DEMO)/edge-int8.onnx exported/*.onnx --duration 3 --json $(DEMO)/bench.json
	@echo "the run is in $(DEMO)/: checkpoint.pt, history.jsonl, curve.png; its models: $(DEMO)/edge.onnx, edge-int8.onnx"

test: $(VENV)/.dev lint ## install, then lint, and all tests with coverage but those in a browser
# Tests in a browser are those of `test-web`. Each worker on one thread: two that share the cores
# would wait for each other. The files that take longest begin first (see tests/conftest.py).
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --ignore tests/browser \
	  --cov --cov-report=
	$(BIN)/coverage report --omit='mnist_edge/lab/*' --fail-under=95
	$(BIN)/coverage report --include='mnist_edge/lab/*' --fail-under=85

lint: $(VENV)/.dev ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPY_NUM_WORKERS=2 $(BIN)/mypy

# The page in a real browser. What it needs is installed where apt and npm are there; tests that
# lack something are skipped, and say what. Screenshots of the page lie in .web/screenshots/.
WEB := .web
test-web: $(VENV)/.dev ## the page in a real browser; as root, installs Chromium by apt where it is missing
	@mkdir -p $(WEB)
	@for browser in chromium chromium-browser google-chrome; do \
	  command -v $$browser >/dev/null && exit 0; \
	done; \
	{ [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install --yes chromium >/dev/null; } || \
	  echo "Chromium is not here, and cannot be installed: apt install chromium"
	@runtime=$$($(BIN)/python -c 'from mnist_edge.web.runtime import NAME, VERSION; print(f"{NAME}@{VERSION}")'); \
	for package in $$runtime axe-core@4.14.1; do \
	  [ -f "$(WEB)/$$(echo $$package | tr @ -).tgz" ] || (cd $(WEB) && npm pack --silent $$package) || \
	    echo "$$package cannot be fetched: npm and its registry are needed"; \
	done
	$(BIN)/pytest tests/browser

# A million inputs that were spoilt where they reach new code; a short run of it is in `make test`.
fuzz: $(VENV)/.dev ## a million spoilt inputs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,dev,fuzz]'
	$(BIN)/python -m tests.fuzz.run

# Fifty kills of each command; one of each is in `make test`.
crash: $(VENV)/.dev ## fifty kills of each command
	OMP_NUM_THREADS=1 MNIST_EDGE_MOMENTS=50 $(BIN)/pytest -n auto --timeout 3600 tests/crash

# The device's own tests, on the lowest versions that it may have.
FLOORS := $(VENV)-floors
floors: ## the device's tests on the lowest versions of its packages
	$(PYTHON) -m venv $(FLOORS)
	$(FLOORS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  $$($(PYTHON) tests/helpers/floors.py) -e . onnx scikit-learn scipy pytest pytest-timeout
	$(FLOORS)/bin/python -m pytest -q tests/model_file tests/preprocess tests/predict tests/datasets \
	  tests/web tests/test_files.py tests/test_threshold.py tests/cli/test_evaluate.py \
	  tests/cli/test_draw.py tests/cli/test_predict.py tests/benchmark/test_stopwatch.py \
	  tests/backends/test_onnxruntime.py

# Everything that wants a GPU, in 8 minutes; the head of benchmarks/gpu says what it needs. In
# the project's environment where there is one, else in that of $(PYTHON): nothing is installed.
gpu: ## what wants a GPU, in 8 minutes
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m benchmarks.gpu --out gpu

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove environments, builds and caches
	rm -rf $(VENV) $(VENV)-floors build dist .coverage .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.train: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): PyTorch is large, this takes some minutes the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,dev]'
	@touch $@
