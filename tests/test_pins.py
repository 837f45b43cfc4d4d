"""One set of pins: pyproject.toml, requirements.lock, environment.yml, the texts, and what pbb imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import lock
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PINNED = re.compile(r"\b([A-Za-z][\w.-]*)==(\d[\w.]*)")


def read_lock() -> dict[str, str]:
    """Name -> version; every line must be an exact pin."""
    pins = {}
    for line in lock.LOCK.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"not an exact pin: {line}"
            pins[canonicalize_name(requirement.name)] = specifier.version
    return pins


def project_requirements() -> list[Requirement]:
    project = lock.project()["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for lines in lists for line in lines]


def test_lock_meets_what_the_project_asks_for() -> None:
    pins = read_lock()
    for requirement in lock.locked_requirements():
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_lock_is_closed_and_is_what_is_installed() -> None:
    """Nothing that a locked package needs here is left to the day of installation. Else: `make setup`."""
    installed = lock.closure(lock.locked_requirements())
    assert installed.items() <= read_lock().items()


def test_lock_holds_for_every_machine() -> None:
    text = lock.LOCK.read_text(encoding="utf-8")
    assert not [name for name in read_lock() if lock.CUDA_ONLY.match(name)], "the CUDA build brings its own"
    assert "+" not in text, "a local version such as +cpu cannot be had everywhere"
    assert "://" not in text, "no index or file of one machine"


def test_every_pin_but_torchs_has_a_checksum_and_setup_wants_it() -> None:
    text = lock.HASHES.read_text(encoding="utf-8").replace("\\\n", "")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    hashed = dict(row[0].split("==") for row in rows)
    assert {canonicalize_name(name): pin for name, pin in hashed.items()} | {
        "torch": read_lock()["torch"]
    } == read_lock()
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", row[-1]) for row in rows)
    told = subprocess.run(
        ["make", "-n", "-W", "pyproject.toml", "setup"], cwd=lock.ROOT, capture_output=True, text=True
    )
    assert "--no-deps --require-hashes -r requirements.hashes" in told.stdout


def test_pins_can_be_installed_in_the_oldest_python_that_is_promised() -> None:
    """Also in a distribution's own, such as Debian's 3.11.2."""
    oldest = lock.project()["project"]["requires-python"].removeprefix(">=")
    here = {canonicalize_name(each.name): each.metadata["Requires-Python"] for each in distributions()}
    wanted = {name: here[name] for name in read_lock() if here.get(name)}
    assert len(wanted) > 100
    assert not {name: asks for name, asks in wanted.items() if not SpecifierSet(asks).contains(oldest)}


def test_conda_environment_has_the_same_pins() -> None:
    environment = yaml.safe_load(lock.CONDA.read_text(encoding="utf-8"))
    *pip, editable = environment["dependencies"][-1]["pip"]
    locked = [line for line in lock.LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert pip == locked
    assert editable == "-e ."
    python = lock.project()["project"]["requires-python"].removeprefix(">=")
    assert f"python={python}" in environment["dependencies"]


def committed_texts() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=lock.ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not in a git checkout")
    names = [lock.ROOT / name for name in listed.stdout.split("\0") if name]
    kinds = {".md", ".ipynb", ".toml", ".yml", ".yaml", ".sh"}
    return [path for path in names if path.is_file() and (path.suffix in kinds or path.name == "Makefile")]


def test_texts_name_the_same_versions() -> None:
    """A `name==version` in the README, a notebook or a script is the one that the project pins."""
    pins = read_lock()
    for requirement in project_requirements():
        for specifier in requirement.specifier:
            if specifier.operator == "==":
                name = canonicalize_name(requirement.name)
                assert pins.setdefault(name, specifier.version) == specifier.version, requirement
    assert "unsloth" in pins
    for path in committed_texts():
        for name, version in PINNED.findall(path.read_text(encoding="utf-8")):
            expected = pins.get(canonicalize_name(name), version)
            assert version == expected, f"{path.name} says {name}=={version}, the pin is {expected}"


def test_what_pbb_imports_is_declared() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in project_requirements()}
    providers = packages_distributions()
    for path in sorted((lock.ROOT / "pbb").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            else:
                continue
            for module in {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"pbb"}:
                names = {canonicalize_name(name) for name in providers.get(module, [module])}
                assert names & declared, f"{path} imports {module}, which pyproject.toml does not list"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "figures/README.md"])
def test_paths_that_texts_name_exist(name: str) -> None:
    """Of files in this repository, and of links; a name that is only a form, such as fNN_name.py, is none."""
    text = (lock.ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/.<])(?:pbb|tests|notebooks|\.ci)/[\w./-]*\w", text)
    paths = [lock.ROOT / path for path in named if not re.search(r"NN|/name\.py", path)]
    paths += [(lock.ROOT / name).parent / link for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)]
    assert paths
    assert [path for path in paths if not path.exists()] == []
