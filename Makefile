# Everything there is to do with this project, by name. Each target makes the environment it needs, in .venv.

VENV ?= .venv
BIN := $(VENV)/bin
# One process more than a small machine has cores, because some tests wait for a bound to pass. The order of the tests
# within a file is kept, so that a run can be repeated.
TEST_FLAGS ?= -n 3 --dist loadfile

# The tools must see the environment in .venv and nothing of another that happens to be active.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help demo test check check-slow browser screenshots lint types floors docs bench arguments soak fuzz live mutants matrix audit release clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "make %-11s %s\n", $$1, $$2 }'

demo: $(VENV)/.for-demo  ## talk to a formation that runs on this machine, without keys and models
	@$(BIN)/muxi-client demo

test: $(VENV)/.for-dev  ## run the tests, except the slow ones and those in a browser
	$(BIN)/python -m pytest $(TEST_FLAGS) -m 'not slow and not browser'

check: lint types floors test  ## run every check; the tests come last

check-slow: $(VENV)/.for-dev  ## run the slow tests: beside the tools of others, packages, more generated examples
	$(BIN)/python -m pytest $(TEST_FLAGS) -m 'slow or (hypothesis and not browser)' --hypothesis-profile=thorough

browser: $(VENV)/.for-dev  ## run the tests in a headless Chromium, which is installed where it may be
	@.ci/install-chromium
	$(BIN)/python -m pytest -m browser tests/browser

screenshots: $(VENV)/.for-dev  ## make the pictures of the documentation anew, in the same browser
	@.ci/install-chromium
	MUXI_SCREENSHOTS=1 $(BIN)/python -m pytest -m browser -k pictures tests/browser

lint: $(VENV)/.for-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# pyright looks at the packages of the Python that it finds first.
types: export PATH := $(abspath $(BIN)):$(PATH)
types: $(VENV)/.for-dev
	$(BIN)/mypy
	$(BIN)/pyright --warnings
	$(BIN)/pyright --ignoreexternal --verifytypes muxi
	$(BIN)/pyright --ignoreexternal --verifytypes muxi_transports

floors: $(VENV)/.for-dev
	$(BIN)/lint-imports --no-logo

docs: $(VENV)/.for-dev  ## build the documentation; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

arguments: $(VENV)/.for-dev  ## write the types of the clients' keyword arguments, after a change of muxi/config.py
	@$(BIN)/python -m muxi.client.keywords > $(VENV)/arguments.py
	@mv $(VENV)/arguments.py muxi/client/arguments.py

bench: $(VENV)/.for-dev  ## measure speed
	$(BIN)/python benchmarks/run.py

matrix: $(VENV)/.for-dev  ## build, check and install the distribution on every Python, and run the suite there
	$(BIN)/python .ci/matrix.py

audit: $(VENV)/.for-dev  ## ask for known vulnerabilities of the dependencies
	$(BIN)/python .ci/audit.py

release: $(VENV)/.for-dev  ## build what is published, from a clean tree, into dist/
	$(BIN)/python .ci/release.py

soak: $(VENV)/.for-dev  ## a hostile server, cut streams, interrupts: some minutes; SEED=… repeats a run, SOAK=full cuts all
	$(BIN)/python -m tests.soak $(if $(SEED),--seed $(SEED)) $(SOAK_FLAGS)

# atheris, which is guided by coverage, is used where it installs.
fuzz: $(VENV)/.for-dev  ## random input for whatever a peer chooses, FUZZ_S=30 seconds for each target
	@$(BIN)/python -m pip install --quiet atheris || echo "atheris does not install here; the project's own mutator is used"
	$(BIN)/python -m tests.fuzz $(FUZZ_FLAGS)

mutants: $(VENV)/.for-dev  ## small faults in the code that decides: each must fail a test; MUTANTS="sse repeat" takes some
	$(BIN)/python tests/mutants/run.py $(MUTANTS)

live: $(VENV)/.for-dev  ## the suite against the platform's real runtime, which is installed below .live (2 GB)
	$(BIN)/python -m tests.live $(LIVE_FLAGS)

clean:  ## remove everything that was made
	rm -rf $(VENV) .venvs .bench .live .matrix build dist *.egg-info docs/_build
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is complete when its stamp is there; a change of the requirements asks for a new one.
$(VENV)/.made: .ci/find-python
	@python=$$(.ci/find-python) && echo "Making $(VENV) with $$python" && "$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.for-demo: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[cli]'
	@touch $@

$(VENV)/.for-dev: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.for-demo
