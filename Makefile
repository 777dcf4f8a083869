# make demo: install and open the page.   make test: install, a browser included, and run every test.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA ?= data
RUNS ?= runs
MODELS ?= assets/models
MODEL ?= $(MODELS)/gloss-fusion
TRAIN = $(BIN)/python -m seq2seq.training
PACK = $(TRAIN).pack
# Most of what is installed is never imported: what is, is compiled then.
INSTALL = $(BIN)/pip install --quiet --no-compile
# Many tests wait for a page, so there are more processes than the smallest machine has cores.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# Else every process that the tests start would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage bench train train-fusion train-small train-summary train-pegasus train-qa eval lint clean

demo: $(VENV)/app
	$(BIN)/python app.py

test: $(VENV)/dev $(VENV)/browser lint
	$(PYTEST)

coverage: $(VENV)/dev $(VENV)/browser
	$(PYTEST) --cov --cov-report=term

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench: $(VENV)/dev
	$(BIN)/python -m tests.bench

# DATA is a folder of gzipped JSON lines, laid out as the README says.
train: train-fusion train-summary train-pegasus train-qa

# What the first round learnt to split, the second learns to put back together. The pairs join DATA.
train-fusion: $(VENV)/dev
	$(TRAIN) fusion-first --data $(DATA) --output $(RUNS)/fusion-first
	$(PACK) fusion-first $(RUNS)/fusion-first $(RUNS)/gloss-fusion-first --data $(DATA) --limit 50
	$(BIN)/python -m seq2seq.training.backtranslation $(RUNS)/gloss-fusion-first --data $(DATA)
	$(TRAIN) fusion --data $(DATA) --start $(RUNS)/gloss-fusion-first --output $(RUNS)/fusion
	$(PACK) fusion $(RUNS)/fusion $(MODELS)/gloss-fusion --data $(DATA)

# Of all writing tasks a little, for others to start from.
train-small: $(VENV)/dev
	$(TRAIN) small --data $(DATA) --output $(RUNS)/small
	$(PACK) small $(RUNS)/small $(RUNS)/gloss-small --data $(DATA) --limit 50

train-summary: train-small
	$(TRAIN) summary --data $(DATA) --start $(RUNS)/gloss-small --output $(RUNS)/summary
	$(PACK) summary $(RUNS)/summary $(MODELS)/gloss-summaries --data $(DATA)

train-pegasus: $(VENV)/dev
	$(TRAIN) pegasus --data $(DATA) --start $(MODELS)/gloss-summaries --output $(RUNS)/pegasus
	$(PACK) pegasus $(RUNS)/pegasus $(MODELS)/gloss-pegasus --data $(DATA)

train-qa: $(VENV)/dev
	$(TRAIN) qa --data $(DATA) --output $(RUNS)/qa
	$(PACK) qa $(RUNS)/qa $(MODELS)/gloss-answers --data $(DATA) --limit 6000

eval: $(VENV)/dev
	$(BIN)/python -m seq2seq.training.evaluate $(MODEL) --data $(DATA)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The CPU build of torch where one is offered; a torch that is there already is kept.
$(VENV)/app: requirements.txt | $(VENV)/bin/python
	$(INSTALL) --upgrade pip
	$(INSTALL) -r requirements.txt
	touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/app
	$(INSTALL) -r requirements-dev.txt
	touch $@

$(VENV)/browser: $(VENV)/dev
	sh tests/browser/install.sh $(BIN)
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .coverage
