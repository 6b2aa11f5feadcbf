# One command brings the pipeline up (`make up`), one runs its tests (`make test`).
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: help setup web wheel client up down status test browser chaos siege containers release-check bench profile fuzz soak audit unit check format docs site lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements.lock pyproject.toml hatch_build.py hatch_imports.py consumers/delivery/broadcast.c
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Touchline needs Python 3.11 or newer, and this is %d.%d: run make again with PYTHON=python3.11 (or newer)." % v[:2])'
	@echo "Installing Touchline into $(VENV) (once; about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Could not make a virtual environment: on Debian and Ubuntu install python3-venv, then run make again."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[^ ]+' requirements.lock)" || { echo "Could not install uv: is the package registry in reach? Behind a proxy or mirror set HTTPS_PROXY or PIP_INDEX_URL (and UV_INDEX_URL), then run make again."; exit 1; }
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock || { echo "Could not install what requirements.lock names: is the package registry in reach? What has come is kept; run make again."; exit 1; }
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The pages for viewers and operators. Without them all else works, so a failure here is told and forgiven.
PAGES = package-lock.json web/build.py $(wildcard web/*.html web/*.ts web/src/* web/src/*/* clients/js/src/*)
gateway/dist/index.html: $(PAGES) $(VENV)/.ready
	@echo "Building the pages (about ten seconds)"
	@$(BIN)/python web/build.py && touch $@

web: gateway/dist/index.html ## build the pages into gateway/dist

wheel: web ## build the wheel, pages included, into dist/
	@$(BIN)/uv build --wheel --no-build-isolation --python $(BIN)/python

release-check: setup ## build all that a release has, twice, install each in an empty place, and use it; into dist/
	@$(BIN)/python -m tests.packaging.release

client: setup ## pack the JavaScript client as npm has it, into dist/
	@$(BIN)/python web/build.py --pack dist

setup: $(VENV)/.ready ## install Touchline and its tools into .venv
	@$(MAKE) --silent --no-print-directory web || true

up: setup ## start the whole pipeline (ARGS="--detach" to leave it running)
	@$(BIN)/touchline up $(ARGS)

down: setup ## stop it
	@$(BIN)/touchline down

status: setup ## a line for each process
	@$(BIN)/touchline status

# Four processes: servers that start, and conditions that are waited for, leave two processors idle in fewer.
test: setup ## run all tests, with real servers and, where there is a Chromium, the pages in it
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

browser: setup ## run only the pages' tests in a Chromium; pictures go to build/screenshots
	@$(BIN)/python -m pytest -m browser $(ARGS)

chaos: setup ## try to break the pipeline (MINUTES=30 SEED=7)
	@$(BIN)/touchline chaos --minutes $(or $(MINUTES),2) $(if $(SEED),--seed $(SEED)) $(ARGS)

siege: setup ## attack the pipeline as hostile users, with ordinary users beside them (MINUTES=10)
	@$(BIN)/touchline siege --minutes $(or $(MINUTES),10) $(ARGS)

containers: setup ## build the images, bring docker-compose.yml up for real, break parts of it, compare (MINUTES=10: more load)
	@$(BIN)/python -m tests.containers --minutes $(or $(MINUTES),0) $(ARGS)

unit: setup ## run the tests that need no server (seconds)
	@$(BIN)/python -m pytest -m "not servers" $(ARGS)

check: setup ## lint, types, whether every dependency is locked, and whether something is known about one
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m tests.security.locked
	@$(BIN)/mypy
	@$(BIN)/python -m tests.security.audit --seconds 30

bench: setup ## measure everything, on servers of its own, into docs/performance.md (QUICK=1: under ten minutes)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group bench -c requirements.lock
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(ARGS)

profile: setup ## look where the time of an edge and of a worker goes, into docs/performance.md
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group bench -c requirements.lock
	@$(BIN)/python -m bench.profiling $(ARGS)

fuzz: setup ## look for inputs that break a parser, and keep them (MINUTES=10)
	@$(BIN)/python -m tests.security.fuzz --minutes $(or $(MINUTES),10) $(ARGS)

soak: setup ## the same load for a long time: does anything grow? (MINUTES=10)
	@$(BIN)/python -m chaos.soak --minutes $(or $(MINUTES),10) $(ARGS)

audit: setup ## only ask the vulnerability services about what is locked, with more patience
	@$(BIN)/python -m tests.security.audit

format: setup ## put the code in shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: setup ## write the reference pages anew from the code
	@$(BIN)/python docs/make_reference.py
	@$(BIN)/python -m consumers.protocol.asyncapi

SITE = build/site-env
$(SITE)/bin/zensical: $(VENV)/.ready
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(SITE)
	@$(BIN)/uv pip install --quiet --python $(SITE)/bin/python --group site

site: $(SITE)/bin/zensical ## build the docs as a site with search, into build/site
	@$(BIN)/python docs/make_site.py
	@$(SITE)/bin/zensical build --clean --strict

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" pyproject.toml

lock: ## resolve the dependencies anew (see docs/decisions/0003)
	@$(COMPILE) --all-extras --group dev -o requirements.lock
	@$(COMPILE) --extra server -c requirements.lock -o requirements-run.lock

clean: ## remove what make made (not the data)
	rm -rf $(VENV) node_modules gateway/dist .pytest_cache .mypy_cache .ruff_cache
