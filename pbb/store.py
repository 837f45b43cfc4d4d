"""Where things lie, and folders that are complete or not there: built out of sight, renamed, manifest last.

A folder is *complete* when it holds ``manifest.json``. Whatever kills its writer, a half-written folder
keeps its hidden name and is never read. Used for trained stages, for records and for figures.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

MANIFEST = "manifest.json"
PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "tokenizers",
    "safetensors",
    "datasets",
    "accelerate",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
    "seaborn",
)
_PACKAGE = Path(__file__).resolve().parent
_STALE_AFTER_S = 24 * 3600
FOLDERS = ("PBB_RUNS", "PBB_FIGURES", "PBB_CACHE")  # variables that name a folder


class RecordsError(ValueError):
    """Records, or the place to keep them, are not as they must be; the message says what would be valid."""


class CorruptRunError(RecordsError):
    """A folder that claims to be complete cannot be trusted; the message names the folder to delete."""

    def __init__(self, file: Path, wrong: str) -> None:
        self.folder = file.parent
        super().__init__(
            f"{file}: {wrong}. The way out: delete the folder {file.parent} and run the same "
            "command again; nothing else is affected."
        )


# ---------------------------------------------------------------------------------------- where things lie
def root() -> Path:
    """Return the checkout that holds this package, or the working directory when it is installed elsewhere."""
    return _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()


def _make_absolute() -> None:
    """Make the folders that this process's environment names absolute: notebooks and jobs run in other folders."""
    for variable in FOLDERS:
        if os.environ.get(variable):
            os.environ[variable] = str(Path(os.environ[variable]).expanduser().resolve())


_make_absolute()


def _named(variable: str) -> Path | None:
    return Path(os.environ[variable]).expanduser().resolve() if os.environ.get(variable) else None


def runs() -> Path:
    """Return the run store: ``PBB_RUNS`` where it is set, else ``runs/``."""
    return _named("PBB_RUNS") or root() / "runs"


def figures(preset: str) -> Path:
    """Return where this machine's figures of `preset` go (ignored by git)."""
    return (_named("PBB_FIGURES") or root() / "figures") / preset


def reference(preset: str) -> Path:
    """Return where the committed reference figures of `preset` lie."""
    return root() / "figures" / "reference" / preset


def build(preset: str) -> Path:
    """Return where executed notebooks of `preset` go."""
    return root() / "build" / preset


def quiet() -> None:
    """Turn off the libraries' own progress bars and chatter, unless the reader has set those variables.

    Workers write them all at once, and they would bury the one line a task that `pbb.run` writes.
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


# ------------------------------------------------------------------------------------------- the manifest
def write_manifest(folder: Path | str, manifest: Mapping[str, Any]) -> None:
    """Write manifest.json (sorted, indented, UTF-8) in one step. The last thing that a writer does."""
    folder = Path(folder)
    try:
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise RecordsError(f"{folder / MANIFEST}: cannot be written as JSON: {error}") from None
    temporary = folder / f".{MANIFEST}.{uuid.uuid4().hex[:8]}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / MANIFEST)


def read_manifest(folder: Path | str) -> dict[str, Any] | None:
    """The manifest of a complete folder, None where there is none. Raises CorruptRunError if damaged."""
    file = Path(folder) / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CorruptRunError(file, f"cannot be read ({error.strerror})") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are both ValueErrors
        raise CorruptRunError(file, f"is not valid JSON ({error})") from None
    if not isinstance(manifest, dict):
        raise CorruptRunError(file, f"holds a {type(manifest).__name__}, not an object")
    return manifest


def is_complete(folder: Path | str) -> bool:
    """Whether `folder` was finished: it has a manifest. Raises CorruptRunError where that is damaged."""
    return read_manifest(folder) is not None


def environment_manifest(packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """What the numbers may depend on, without host names or paths. Looks versions up, imports nothing."""
    versions: dict[str, str | None] = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    revision, dirty = git_revision()
    return {
        "packages": versions,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.machine()}",
        "git": {"revision": revision, "dirty": dirty},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_revision() -> tuple[str | None, bool | None]:
    """Commit of the checkout that holds this package and whether tracked files differ; None, None outside."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():  # installed inside someone else's repository: not our revision
        return None, None

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


# ------------------------------------------------------------------------------------------ atomic folders
@contextmanager
def atomic_folder(path: Path | str, *, replace: bool = False) -> Iterator[Path]:
    """Build a folder out of sight, then rename it into place at exit.

    Yields a hidden sibling of `path` to write into. At a clean exit its files are synced and it becomes
    `path`; a complete folder that is already there is kept (two processes may race), unless `replace`. An
    incomplete one is replaced. After an exception nothing is left. Raises RecordsError if the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent, target.name)
        partial = _hidden_sibling(target)
        partial.mkdir()
        try:
            yield partial
            _sync(partial)
            _put_in_place(partial, target, replace)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # gone already where it was renamed
    except Exception as error:
        if _disk_is_full(error):
            free = shutil.disk_usage(_existing_parent(target)).free / 1e6
            raise RecordsError(
                f"{target}: the disk is full ({free:,.0f} MB free). Free some space and "
                "run the same command again: what is complete is kept."
            ) from error
        raise


def _hidden_sibling(target: Path) -> Path:
    return target.with_name(f".{target.name}.{'-'.join(_owner(os.getpid()))}.{uuid.uuid4().hex[:8]}.partial")


def _owner(process: int) -> tuple[str, str, str]:
    """Return what tells a process from all others: host (with its space of process numbers), number, start time.

    The start time is in ticks since the system started, "" for a process that has ended, "0" where none is known.
    """
    try:
        space = os.readlink("/proc/self/ns/pid")
        started = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks = "" if started[0] in "ZX" else started[19]
    except FileNotFoundError:
        space, ticks = "", "" if Path("/proc/self/stat").exists() else "0"
    except OSError:
        space, ticks = "", "0"
    host = hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]
    return host, str(process), ticks


def _abandoned(left: Path) -> bool:
    """Whether the process that was building `left` has ended; of another host's, whether it is a day old."""
    host, process, ticks = ([*left.name.split(".")[-3].split("-"), "", "", ""])[:3]
    if process.isdigit() and ticks.isdigit() and host == _owner(os.getpid())[0]:
        return _owner(int(process))[2] != ticks
    newest = max(entry.stat().st_mtime for entry in (left, *left.rglob("*")))
    return time.time() - newest > _STALE_AFTER_S


def _remove_abandoned(folder: Path, name: str = "*") -> None:
    for left in folder.glob(f".{name}.*.*.partial"):
        with suppress(OSError):  # it went away while we looked
            if _abandoned(left):
                shutil.rmtree(left, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed runs have left in `folder`: half-written folders, and locks that nobody holds."""
    _remove_abandoned(folder)
    for file in folder.glob(".*.lock"):
        with suppress(OSError, Timeout), FileLock(str(file), timeout=0):
            file.unlink()  # who waits for it meanwhile sees that it is gone, and makes another


def _put_in_place(partial: Path, target: Path, replace: bool) -> None:
    asides: list[Path] = []
    try:
        while True:
            if not replace and _surely_complete(target):
                return
            try:
                os.rename(partial, target)  # fails if `target` has content; replaces an empty folder
                _sync_folder(target.parent)
                return
            except OSError as error:
                if error.errno == errno.ENOTDIR:
                    raise RecordsError(f"{target}: a file is where a folder must be; move it away") from None
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if not replace and _surely_complete(target):  # another process finished just now
                return
            aside = _hidden_sibling(target)
            try:
                os.rename(target, aside)
                asides.append(aside)
            except FileNotFoundError:
                pass  # another process moved it first
    finally:
        for aside in asides:
            shutil.rmtree(aside, ignore_errors=True)


def _surely_complete(folder: Path) -> bool:
    try:
        return is_complete(folder)
    except CorruptRunError:
        return False


def _sync(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # a directory cannot be opened on Windows
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _existing_parent(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.exists())


def _disk_is_full(error: BaseException | None) -> bool:
    """Also through libraries that turn the system's error into one of their own (torch, safetensors)."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(error) or "os error 28" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
