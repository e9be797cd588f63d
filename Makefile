# make help lists everything. Nothing has to be installed but Python >= 3.11 and make.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The first Python that runs, is new enough and can make environments; make PYTHON=... names another.
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13 python; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup docs bench verdict imagenet report sweep-noise sweep-attack test test-portable test-all lint types format check \
	clean clean-all

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# TORCH_INDEX=ADDRESS takes torch and torchvision from that index: of PyTorch's wheels for the CPU, they come without CUDA.
TORCH_INDEX ?=
setup: $(READY) ## make .venv with the pinned versions

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "underfire needs Python 3.11 or newer with its venv module, and none was found: install" \
		"one (Debian: apt install python3-venv), or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "setting up $(VENV): some minutes and about 6 GB the first time"
	@{ test -z "$(TORCH_INDEX)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		torch torchvision --index-url "$(TORCH_INDEX)"; } && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' || \
		{ echo "the installation failed (see above): check the network and the free disk, then run make again"; exit 1; }
	@touch $(READY)

# The site's own programs are small, and installed the first time.
docs: $(READY) ## the documentation site, into site/; a broken link ends it
	@$(BIN)/python -c 'import material' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet && echo "site/index.html"

# Processes of one thread each, with arithmetic that is the same on CPUs of every maker: as many as cores, at most 10;
# make bench JOBS=... sets another number, which changes no byte.
JOBS ?= $(shell cores=$$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); \
	echo $$((cores < 1 ? 1 : cores > 10 ? 10 : cores)))
OBSERVATION_8 := run experiment=observation_8 trainer.portable=true trainer.threads=1 \
	hydra/launcher=joblib hydra.launcher.n_jobs=$(JOBS)

bench: $(READY) ## one training of the benchmark on the embedded data, and its report (some twenty minutes on two cores)
	@$(BIN)/python -m benchmark $(OBSERVATION_8); status=$$?; \
		$(BIN)/python -m benchmark report || status=1; exit $$status

verdict: $(READY) ## five trainings, which a verdict needs, and the report (some hundred minutes on two cores; stopped, it goes on)
	@$(BIN)/python -m benchmark $(OBSERVATION_8) trainings=5; status=$$?; \
		$(BIN)/python -m benchmark report || status=1; exit $$status

# make imagenet DATA=FOLDER [BUDGET=quick] [OPTIONS=...]: FOLDER/train/WNID/..., FOLDER/test/WNID/... or else FOLDER/val, as
# ImageNet and Imagenette unpack (whose test images have no labels), any of ImageNet's classes.
BUDGET ?= imagenet
imagenet: $(READY) ## Observation 8 on ImageNet photographs, make imagenet DATA=FOLDER (hours; BUDGET=quick: a smaller run)
	@test -n "$(DATA)" || { echo "make imagenet needs a folder of ImageNet photographs: make imagenet DATA=FOLDER, with" \
		"FOLDER/train/WNID/*.JPEG and FOLDER/test/WNID/*.JPEG, or val in place of test"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[imagenet]'
	@ls -d "$(DATA)"/test/n* > /dev/null 2>&1 && test=test || test=val; \
		$(BIN)/python -m benchmark run experiment=observation_8_imagenet budget=$(BUDGET) data.root="$(DATA)" \
		data.test_folder=$$test trainer.threads=1 $(OPTIONS) hydra/launcher=joblib hydra.launcher.n_jobs=$(JOBS); status=$$?; \
		$(BIN)/python -m benchmark report || status=1; exit $$status

report: $(READY) ## tables, figures and verdicts from the records
	@$(BIN)/python -m benchmark report

sweep-noise: $(READY) ## an example: two noise types at two levels, two interpreters
	$(BIN)/python -m benchmark run -m interpreter=rts,rtsa probe=normal,uniform probe.level=0.03,0.3

sweep-attack: $(READY) ## an example: ADV2 at three budgets
	$(BIN)/python -m benchmark run -m interpreter=rts,rtsa_anchored probe=adv2 probe.epsilon=0.0078,0.0157,0.0314

test: $(READY) ## the tests (a few minutes), two at a time with one thread each
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# What depends on the arithmetic of the CPU and takes seconds: formulas, draws, measures, attacks and maps against their
# references, golden values, and a training step in two processes.
PORTABLE := tests/test_golden.py tests/numerics tests/objectives tests/metrics tests/probes \
	tests/interpreters/test_rts.py tests/interpreters/test_mask.py tests/data/test_digits.py tests/lightning \
	tests/contracts/test_interpreters.py::test_samples_do_not_see_each_other \
	tests/contracts/test_probes.py::test_samples_do_not_see_each_other \
	tests/distributed/test_two_processes.py::test_a_step_of_training_is_that_of_one_process

test-portable: $(READY) ## the tests that depend on the CPU, as older CPUs compute, with one thread and with two
	@for threads in 1 2; do for set in default avx2; do \
		echo "$$set, threads: $$threads"; \
		OMP_NUM_THREADS=$$threads ATEN_CPU_CAPABILITY=$$set $(BIN)/python -m pytest $(PORTABLE) || exit; \
	done; done

test-all: $(READY) ## the tests with the slow ones
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m 'not gpu'

lint: $(READY) ## ruff: style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## mypy
	@$(BIN)/mypy

format: $(READY) ## put the code into its format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

check: lint types test ## everything that a commit has to pass

clean: ## remove caches and build litter
	rm -rf build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache outputs
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

clean-all: clean ## remove also .venv, store, results, report and leaderboard
	rm -rf $(VENV) store results report leaderboard
