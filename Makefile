# `make test` and `make demo` each set up everything they need, on Python ≥ 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint types unit screenshots bench clean

$(READY): requirements.txt requirements-dev.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || apt-get install -y python3-venv || \
	  { echo "$(PYTHON) cannot make environments; as root: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -r requirements-dev.txt
	$(BIN)/pip install --quiet --no-deps --editable .
# Six real pairs of Sentinel-1 and -2 that tests read; none of what it asks for beside them.
	$(BIN)/pip install --quiet --no-deps bigearthnet-common==2.8.0
	@touch $@

demo: $(READY) runs/sample/run.json
	$(BIN)/streamlit run app.py --server.port 8501

# Kept from one demo to the next; `make clean` or removing runs/sample makes it anew.
runs/sample/run.json: $(READY) models/default/manifest.json $(wildcard sample_data/*.tif)
	rm -rf runs/sample
	$(BIN)/landslide predict --out runs/sample \
	  --s2 sample_data/s2.tif --s2 sample_data/scl.tif \
	  --s1-desc-pre sample_data/s1_desc_pre.tif --s1-desc-post sample_data/s1_desc_post.tif \
	  --s1-asc-pre sample_data/s1_asc_pre.tif --s1-asc-post sample_data/s1_asc_post.tif

test: $(READY) lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# One thread a process: on few cores, threads that wait for each other cost more than they bring.
# Three processes on two cores: browser tests wait for a third of their time.
# The longest files first, as tests/conftest.py orders them; pytest-xdist would begin with those of
# the most tests.
unit: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

# Every page, light and dark, wide and narrow, into docs/images.
screenshots: $(READY) runs/sample/run.json
	OMP_NUM_THREADS=1 $(BIN)/python docs/screenshots.py

# Minutes to an hour: scenes up to a full Sentinel-2 tile are written under benchmarks/scenes.
bench: $(READY)
	for what in floor stages agreement crashes whole; do \
	  OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks $$what || exit 1; done
	$(BIN)/python -m benchmarks report

clean:
	rm -rf .venv runs/sample
