# make demo: install and open the page.   make test: install, a browser included, and run every test.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA ?= data
RUNS ?= runs
MODELS ?= assets/models
MODEL ?= $(MODELS)/gloss-small
TRAIN = $(BIN)/python -m seq2seq.training

.PHONY: demo test bench train train-small train-qa eval lint clean

demo: $(VENV)/app
	$(BIN)/python app.py

test: $(VENV)/dev $(VENV)/browser lint
	$(BIN)/python -m pytest --cov --cov-report=term

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench: $(VENV)/dev
	$(BIN)/python -m tests.bench

# DATA is a folder of gzipped JSON lines, laid out as the README says.
train: train-small train-qa

train-small: $(VENV)/dev
	$(TRAIN) small --data $(DATA) --output $(RUNS)/small
	$(BIN)/python -m seq2seq.training.pack small $(RUNS)/small $(MODELS)/gloss-small --data $(DATA)

train-qa: $(VENV)/dev
	$(TRAIN) qa --data $(DATA) --output $(RUNS)/qa
	$(BIN)/python -m seq2seq.training.pack qa $(RUNS)/qa $(MODELS)/gloss-answers --data $(DATA) --limit 6000

eval: $(VENV)/dev
	$(BIN)/python -m seq2seq.training.evaluate $(MODEL) --data $(DATA)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The CPU build of torch where one is offered; a torch that is there already is kept.
$(VENV)/app: requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/app
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

$(VENV)/browser: $(VENV)/dev
	sh tests/browser/install.sh $(BIN)
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .coverage
