# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
# What `make test-versions` tries, by name or path.
PYTHONS ?= python3.11 python3.12 python3.13
# Where `make dev` listens.
PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin
# Modules are compiled when they are first imported, since most of what is installed never is, and kept
# whatever the environment says: compiling Dagster and dbt takes longer than many a command.
export PYTHONDONTWRITEBYTECODE :=
PIP := python -m pip install --quiet --disable-pip-version-check --no-compile
WANTED := --constraint constraints.txt --editable ".[team,openlineage]" --group dev
OLDEST_READER := .venv-oldest-reader
CONTRACT := .venv-contract
READERS := .venv-readers
IBIS := .venv-ibis
SUPERSET := .venv-superset
DLT := .venv-dlt
METRICFLOW := .venv-metricflow
CLIENTS := lead_pipeline_tests/bi/clients
CLIENTS_INSTALLED := $(OLDEST_READER)/.installed $(READERS)/.installed $(IBIS)/.installed $(SUPERSET)/.installed
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test tests servers test-clients test-long test-versions chaos lint types definitions dev format docs audit sbom screenshot bench clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(INSTALLED)  ## Install everything into .venv, at the versions of constraints.txt

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) --upgrade "pip>=25.1" "uv>=0.9"
	# uv takes a fraction of pip's time; pip also finds packages by a pip.conf, which uv ignores.
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(WANTED) || $(BIN)/$(PIP) $(WANTED)
	$(BIN)/python -c "import lead_pipeline.cli, lead_pipeline.definitions"
	touch $(INSTALLED)

demo: setup  ## Live through 14 nights with invented leads and publish them (no credentials needed)
	@$(BIN)/lead-pipeline demo

test:  ## Lint, types, definitions, dbt and all tests but the longest (test-long)
	# What does not need each other is done at the same time.
	$(MAKE) --no-print-directory --jobs=4 lint types definitions tests
	# Only the files that have such tests are imported.
	$(BIN)/pytest -q -m "alone and not long" $$(grep -rl --include='*.py' 'mark\.alone' lead_pipeline_tests)

tests: setup servers $(CLIENTS_INSTALLED) $(CONTRACT)/.installed $(METRICFLOW)/.installed
	# A third process fills the time in which the others wait for servers, locks and disks.
	$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not alone and not long"

servers:
	@$(PYTHON) lead_pipeline_tests/deploy/install_servers.py

test-long: setup servers  ## The tests that take longest, and all property tests with eight times as many examples
	EXAMPLES_TIMES=8 $(BIN)/pytest -q -n 2 --dist loadfile --timeout 3600 -m "(long or hypothesis) and not alone"

test-clients: setup $(CLIENTS_INSTALLED)  ## Read the BI file with every client of docs/bi.md, and say what is skipped
	$(BIN)/pytest -q -rs lead_pipeline_tests/bi/test_readers.py lead_pipeline_tests/bi/test_superset.py

chaos: setup servers  ## Kill every stage at every system call, race commands, fill disks, kill 100 nights (an hour)
	$(BIN)/python -m lead_pipeline_tests.chaos --cycles 100

test-versions: setup  ## Lowest and newest versions that pyproject.toml allows, on each PYTHONS that is there
	$(BIN)/python supply_chain/versions.py $(PYTHONS)

# Into the environment $(1) what the file $(2) names; uv first, as in `setup`.
define install_into
($(BIN)/uv pip install --quiet --python $(1)/bin/python --requirement $(2) \
	|| $(1)/bin/$(PIP) --requirement $(2))
endef

# The tools that people open the BI file with; its tests read it with each of them. What cannot be
# installed is said, and the tests of it are skipped.
$(OLDEST_READER)/.installed:
	$(PYTHON) -m venv $(OLDEST_READER)
	$(OLDEST_READER)/bin/$(PIP) duckdb==1.0.0
	touch $(OLDEST_READER)/.installed

# What checks the data contract of a build; its dependencies are not ours.
$(CONTRACT)/.installed: $(CLIENTS)/requirements-contract.txt | $(INSTALLED)
	$(PYTHON) -m venv $(CONTRACT)
	$(call install_into,$(CONTRACT),$(CLIENTS)/requirements-contract.txt) \
		|| echo "datacontract-cli cannot be installed; its tests are skipped"
	touch $(CONTRACT)/.installed

$(READERS)/.installed: $(CLIENTS)/requirements.txt $(CLIENTS)/package.json | $(INSTALLED)
	$(PYTHON) -m venv --clear $(READERS)
	$(call install_into,$(READERS),$(CLIENTS)/requirements.txt)
	mkdir -p $(READERS)/node && cp $(CLIENTS)/package.json $(READERS)/node
	npm install --prefix $(READERS)/node --no-package-lock --no-audit --no-fund --silent \
		|| echo "npm is missing or cannot install the readers for Node; their tests are skipped"
	touch $(READERS)/.installed

$(IBIS)/.installed: $(CLIENTS)/ibis.txt | $(INSTALLED)
	$(PYTHON) -m venv --clear $(IBIS)
	$(call install_into,$(IBIS),$(CLIENTS)/ibis.txt)
	touch $(IBIS)/.installed

$(SUPERSET)/.installed: $(CLIENTS)/superset.txt | $(INSTALLED)
	$(PYTHON) -m venv --clear $(SUPERSET)
	$(call install_into,$(SUPERSET),$(CLIENTS)/superset.txt) \
		|| { rm -rf $(SUPERSET)/bin; echo "Superset cannot be installed for $$($(PYTHON) --version); its tests are skipped"; }
	touch $(SUPERSET)/.installed

# What answers with the metrics of the dbt project; its tests ask it for each of them.
$(METRICFLOW)/.installed: lead_pipeline_tests/questions/metricflow/requirements.txt | $(INSTALLED)
	$(PYTHON) -m venv $(METRICFLOW)
	$(call install_into,$(METRICFLOW),lead_pipeline_tests/questions/metricflow/requirements.txt)
	touch $(METRICFLOW)/.installed

# What the pipeline is measured against.
$(DLT)/.installed: benchmarks/programs/requirements.txt | $(INSTALLED)
	$(PYTHON) -m venv $(DLT)
	$(call install_into,$(DLT),benchmarks/programs/requirements.txt)
	touch $(DLT)/.installed

lint: setup  ## Style of Python, SQL and the deployment kit, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/sqlfmt --check --no-progressbar --no-color dbt_project
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml deploy/compose.team.yaml

types: setup  ## Types, strictly
	# Beside the tests, which measure how soon something ends, it takes what they leave.
	nice $(BIN)/mypy

definitions: setup  ## Whether Dagster's own tools accept the code location
	VIRTUAL_ENV="$(abspath $(VENV))" $(BIN)/dg check defs

dev: setup  ## Open the asset graph at http://localhost:3000 (PORT=3001 for another), schedules running
	DAGSTER_HOME="$$($(BIN)/python -m lead_pipeline.orchestration.instance)" \
		VIRTUAL_ENV="$(abspath $(VENV))" $(BIN)/dg dev --port $(PORT)

format: setup  ## Format Python and SQL
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .
	$(BIN)/sqlfmt --quiet dbt_project

docs: setup  ## Write what follows from other files: dbt's column texts, docs/marts.md, the promised columns
	$(BIN)/python docs/write_columns.py
	$(BIN)/python docs/write_marts.py
	$(BIN)/python docs/write_promised_columns.py

audit: setup  ## Known vulnerabilities, licences, undeclared and unused dependencies (OFFLINE=1 without the first)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group audit \
		|| $(BIN)/$(PIP) --constraint constraints.txt --group audit
	$(BIN)/python supply_chain/audit.py $(if $(OFFLINE),--offline)

sbom: setup  ## Write the bill of materials that each wheel carries
	$(BIN)/python supply_chain/write_sbom.py

screenshot: setup  ## Take the pictures in docs/ again (needs Debian's chromium)
	$(BIN)/python docs/take_screenshot.py
	$(BIN)/python docs/take_report_screenshots.py

bench: setup $(DLT)/.installed  ## Measure beside others and write benchmarks/README.md (NAME=pull for one; --help lists them)
	$(BIN)/python -m benchmarks $(NAME)

clean:  ## Remove what was installed and built, not your data
	rm -rf $(VENV) $(OLDEST_READER) $(CONTRACT) $(READERS) $(IBIS) $(SUPERSET) $(METRICFLOW) $(DLT) dbt_project/target dbt_project/logs
