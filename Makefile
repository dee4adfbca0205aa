.DEFAULT_GOAL := help
.PHONY: help run demo test unit check format docs bench prove compose clean lock schema screenshots system

PYTHON := .venv/bin/python
# Half of the tests wait for processes of their own, so a third worker pays off on two cores.
# A file stays on one worker, and the long files come first (tests/support/order.py).
WORKERS ?= 3
SEED ?= 1
# Python may write bytecode: each worker would compile pytest's plugins and all tests again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: system ## Start Placet on this machine (Ctrl-C stops all of it)
	@bin/bootstrap server
	@$(PYTHON) manage.py up $(ARGS)

demo: system ## Walk the whole path on real data, then leave it running
	@bin/bootstrap dev
	@$(PYTHON) manage.py demo $(ARGS)

test: system ## Run every test
	@bin/system chromium
	@bin/system promtool
	@bin/system cosign
	@bin/system curl  # the guides' commands are typed
	@bin/system jq
	@[ "$$(id -u)" != 0 ] || bin/system iproute2  # for tests that only root can run
	@bin/bootstrap dev
	@bin/system prometheus
	@$(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -q $(ARGS)

unit: ## Run the tests that need no service
	@bin/bootstrap dev
	@$(PYTEST) -n $(WORKERS) -q tests/unit $(ARGS)

check: ## Lint, types, layers, migrations, the guides' links, API snapshot, client's records
	@test ! -e platform/__init__.py || { echo "platform/__init__.py shadows Python's own platform module: remove it." >&2; exit 1; }
	@bin/bootstrap dev
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@.venv/bin/djangofmt -q --check templates
	@if [ -x .venv/bin/biome ]; then .venv/bin/biome check; \
	  else echo "biome is not there for this kind of machine: JavaScript and CSS go unchecked." >&2; fi
	@$(PYTHON) -m mypy
	@PYTHONPATH=platform:. .venv/bin/lint-imports
	@$(PYTHON) manage.py makemigrations --check --dry-run
	@$(PYTHON) manage.py check --fail-level WARNING
	@bin/site check
	@$(PYTHON) manage.py spectacular --validate --fail-on-warn | diff -u tests/contract/openapi.yaml - \
	  || { echo "The API changed: look at the difference, then run 'make schema'." >&2; exit 1; }
	@$(PYTHON) bin/client_records.py --check \
	  || { echo "The client's records are not those of the snapshot: run 'make schema'." >&2; exit 1; }

format: ## Have the linters mend what they can, and lay out every file
	@bin/bootstrap dev
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .
	@.venv/bin/djangofmt -q templates
	@if [ -x .venv/bin/biome ]; then .venv/bin/biome check --write; fi

docs: ## Build the guides that Placet serves under /docs/, and check their links
	@bin/bootstrap server
	@bin/site check

schema: ## Renew the API snapshot, and the client's records from it
	@bin/bootstrap dev
	@$(PYTHON) manage.py spectacular --validate --fail-on-warn --file tests/contract/openapi.yaml
	@$(PYTHON) bin/client_records.py

bench: system ## Run the benchmarks
	@bin/system wrk
	@bin/bootstrap dev
	@$(PYTHON) -m benchmarks $(ARGS)

prove: system ## Run the long, seeded proofs
	@bin/bootstrap dev
	@$(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -q tests/properties tests/contract/test_schemathesis.py tests/contract/test_broken_bodies.py --hypothesis-profile=prove --hypothesis-seed=$(SEED) $(ARGS)
	@$(PYTHON) proofs/analysis.py --seed $(SEED)
	@$(PYTHON) proofs/bypass.py --seed $(SEED)
	@$(PYTHON) proofs/mutation.py
	@$(PYTHON) proofs/moves.py --seed $(SEED)
	@$(PYTHON) proofs/crashes.py --seed $(SEED)
	@$(PYTHON) proofs/tampers.py --seed $(SEED) --to proofs/results/tampers-seed$(SEED).json
	@$(PYTHON) benchmarks/log_load.py --events 10000000 --seed $(SEED) --to benchmarks/results/log-load-seed$(SEED).json
	@$(PYTHON) proofs/upgrade.py
	@$(PYTHON) benchmarks/rollbacks.py
	@$(PYTHON) benchmarks/apart.py
	@$(PYTHON) benchmarks/waiting.py
	@$(PYTHON) benchmarks/split.py
	@$(PYTHON) proofs/agreement.py --seed $(SEED)
	@$(PYTHON) proofs/recall.py --seed $(SEED)
	@$(PYTHON) benchmarks/neighbours.py --seed $(SEED)
	@bin/system cosign
	@$(PYTHON) proofs/foreign.py --seed $(SEED)
	@bin/system iproute2
	@$(PYTHON) proofs/faults.py
	@$(PYTHON) tests/compose/prove.py

compose: system ## Prove docker-compose.yml with a Docker Engine of its own (root, Debian)
	@bin/bootstrap dev
	@$(PYTHON) tests/compose/prove.py

screenshots: system ## Renew the pictures in the docs; all that were taken lie in test-results
	@bin/system chromium
	@bin/bootstrap dev
	@PLACET_SCREENSHOTS=test-results/screenshots $(PYTEST) -q tests/browser $(ARGS)
	@$(PYTHON) bin/pictures.py test-results/screenshots

LOCK := .boot/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q
lock: ## Renew requirements/*.txt from requirements/*.in
	@bin/bootstrap dev
	@for name in boot dev; do $(LOCK) requirements/$$name.in -o requirements/$$name.txt; done
	@for name in server site; do $(LOCK) -c requirements/dev.txt requirements/$$name.in -o requirements/$$name.txt; done
	@for name in agent client; do $(LOCK) --no-annotate -c requirements/dev.txt platform/placet_$$name/pyproject.toml -o requirements/$$name.txt; done

system: ## Install what Debian must bring: the build sandbox
	@bin/system bubblewrap

clean: ## Remove everything that was made here, the embedded data too
	@if [ -x $(PYTHON) ]; then $(PYTHON) manage.py down --remove-data; fi
	@rm -rf .venv .boot .site .placet .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
