"""Write requirements.lock, requirements.hashes and environment.yml from the packages installed here.

    make lock        after upgrading something in .venv, and before running the tests on it

All hold the same pins: every package that pbb with its notebooks, slurm and dev extras needs, directly or through
another. Each pin is a version that was installed, and tested, together with all the others. The hashes, of every file
that PyPI has of a pin, are in a file of their own: requirements.lock also constrains installations on hosted machines,
and pip wants a hash of everything as soon as one constraint has one. torch has none, since its build is the machine's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
HASHES = ROOT / "requirements.hashes"
CONDA = ROOT / "environment.yml"
EXTRAS = ("notebooks", "slurm", "dev")

# PyPI's CUDA build of torch pins these itself; the CPU build has none of them.
CUDA_ONLY = re.compile(r"^(cuda-|nvidia-|triton$)")
# Never installed where the lock is made, so kept by hand.
ELSEWHERE = {"appnope": 'appnope==0.1.4 ; sys_platform == "darwin"'}

LOCK_HEADER = """\
# The exact packages that every figure and test was made with: Python 3.11, Linux or macOS.
# Written by `make lock`; read by `make setup`, which chooses torch's CPU or CUDA build beforehand.
"""
HASHES_HEADER = """\
# requirements.lock with the checksums of every package but torch, for `pip install --no-deps --require-hashes -r`.
# Written by `make lock`.
"""
CONDA_HEADER = """\
# conda env create -f environment.yml && conda activate pbb
# The pins are those of requirements.lock (both are written by `make lock`). On Linux without a GPU,
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu before the command gets the small build of torch.
name: pbb
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def project() -> dict[str, Any]:
    """pyproject.toml, parsed."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked_requirements() -> list[Requirement]:
    """What pyproject.toml asks for directly, and the lock must therefore hold."""
    config = project()
    wanted = [*config["build-system"]["requires"], *config["project"]["dependencies"]]
    for extra in EXTRAS:
        wanted += config["project"]["optional-dependencies"][extra]
    return [Requirement(line) for line in wanted]


def closure(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Name -> installed version of everything needed here, without local labels such as torch's ``+cpu``.

    Raises importlib.metadata.PackageNotFoundError if something needed is not installed.
    """
    versions: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = list(requirements)
    while queue:
        wanted = queue.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen or CUDA_ONLY.match(name) or name in ELSEWHERE:
            continue
        seen.add((name, extras))
        found = distribution(name)
        versions[name] = Version(found.version).public
        for line in found.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras | {""}):
                queue.append(needed)
    return versions


def hashed(pins: list[str]) -> str:
    """Return `pins` without torch's, each with the checksums of its files on PyPI. Asks PyPI, by uv."""
    command = (
        "uv pip compile --universal --python-version 3.11.9 --no-deps --generate-hashes --no-header --no-annotate -q -"
    )
    wanted = "\n".join(pin for pin in pins if not pin.startswith("torch=="))
    return subprocess.run(command.split(), input=wanted, capture_output=True, text=True, check=True).stdout


def main() -> None:
    if shutil.which("uv") is None:
        sys.exit("uv writes the checksums, and is not on PATH: `pip install uv`, in any environment")
    pins = [f"{name}=={version}" for name, version in closure(locked_requirements()).items()]
    pins = sorted([*pins, *ELSEWHERE.values()])
    LOCK.write_text(LOCK_HEADER + "".join(f"{pin}\n" for pin in pins), encoding="utf-8")
    HASHES.write_text(HASHES_HEADER + hashed(pins), encoding="utf-8")
    entries = [*pins, "-e ."]
    CONDA.write_text(CONDA_HEADER + "".join(f"      - {entry}\n" for entry in entries), encoding="utf-8")
    print(f"{len(pins)} pins in {LOCK.name}, {HASHES.name} and {CONDA.name}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--extra"]:  # the requirements of one extra, for pip's command line
        print(*project()["project"]["optional-dependencies"][sys.argv[2]])
    else:
        main()
