"""Where things lie, and folders that are complete or not there: built out of sight, renamed, manifest last.

A folder is *complete* when it holds ``manifest.json``. Whatever kills its writer, a half-written folder
keeps its hidden name and is never read. Used for all that is kept:
stages, records, figures, exports, models, and by `whole_file` for single files.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

MANIFEST = "manifest.json"
PACKAGES = (
    *("torch", "transformers", "trl", "peft", "tokenizers", "safetensors", "datasets", "accelerate", "numpy", "pandas"),
    *("pyarrow", "scipy", "matplotlib", "seaborn"),
)
_PACKAGE = Path(__file__).resolve().parent
FOLDERS = ("PBB_RUNS", "PBB_FIGURES", "PBB_CACHE")  # variables that name a folder


class RecordsError(ValueError):
    """Records, or the place to keep them, are not as they must be; the message says what would be valid."""


class CorruptRunError(RecordsError):
    """What a folder that claims to be complete holds is not as written; the message names all `folders` to delete.

    `file` is damaged as `wrong` says; `folder` is the complete one that it belongs to (None: the one that it lies in),
    `others` are further damaged ones, so that one deletion is enough.
    """

    def __init__(self, file: Path, wrong: str, folder: Path | None = None, others: Iterable[Path] = ()) -> None:
        self.file, self.wrong, self.folder = file, wrong, folder or file.parent
        self.folders = list(dict.fromkeys([self.folder, *others]))
        named = f"the folder {self.folder}"
        if len(self.folders) > 1:
            wrong += f"; damaged folders that this command reads: {len(self.folders)}"
            named = f"the folders {' '.join(map(str, self.folders))}"
        super().__init__(
            f"{file}: {wrong}. The way out: delete {named} and run the same command again; nothing else is affected."
        )


def check_all(checks: Iterable[Callable[[], object]]) -> None:
    """Call all of `checks`, then raise the first CorruptRunError among theirs, which names every damaged folder."""
    found: list[CorruptRunError] = []
    for check in checks:
        try:
            check()
        except CorruptRunError as error:
            found.append(error)
    if found:
        first, folders = found[0], [folder for error in found for folder in error.folders]
        raise CorruptRunError(first.file, first.wrong, first.folder, folders)


_ELSEWHERE = "valid: another checkout, or another folder as PBB_RUNS, PBB_FIGURES or PBB_CACHE"
# Why something may not be written, whatever tries to.
_UNWRITTEN = {
    errno.ENOSPC: "the disk is full ({free:,.0f} MB free). Free some space and run the same command again",
    errno.EDQUOT: "the quota of this disk is used up. Free some space and run the same command again",
    errno.EFBIG: "no file may be that large here (see `ulimit -f`). Raise that limit and run the same command again",
    errno.EROFS: f"cannot be written, since the file system is read-only; {_ELSEWHERE}",
    errno.EACCES: f"permission is denied; {_ELSEWHERE}",
    errno.EPERM: f"that is not permitted; {_ELSEWHERE}",
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file is where a folder must be; valid: another place"),
    errno.EISDIR: "a folder is where a file must be; valid: another place",
    errno.ENAMETOOLONG: "that name is too long; valid: a shorter one",
}


_PLAIN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # these never mean that something cannot be read


def _is_ours(path: Path) -> bool:
    return any(path.absolute().is_relative_to(folder) for folder in (root(), *map(_named, FOLDERS)) if folder)


def unwritten(error: BaseException | None, target: Path | None = None) -> RecordsError | None:
    """Return what to say of an error if it, or its cause, is that something could not be written; None if it is not.

    Libraries turn the system's errors into their own (torch, safetensors), so their text counts too.
    """
    while error is not None and not type(error).__module__.startswith("pbb."):  # ours say it already
        said = re.search(r"os error (\d+)", str(error))
        number = error.errno if isinstance(error, OSError) else int(said[1]) if said else 0
        number = number or next((known for known in _PLAIN if os.strerror(known) in str(error)), 0)
        named = getattr(error, "filename", None)
        where = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else target or Path.cwd()
        if number in _UNWRITTEN and (target or number in _PLAIN or _is_ours(where)):
            disk = next(path for path in (where.absolute(), *where.absolute().parents) if os.path.exists(path))
            why = _UNWRITTEN[number].format(free=shutil.disk_usage(disk).free / 1e6)
            return RecordsError(f"{target or where}: {why}; what is complete is kept.")
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def explained(target: Path | None = None) -> Iterator[None]:
    """Turn whatever is raised because something could not be written into one RecordsError that says so."""
    try:
        yield
    except Exception as error:
        if told := unwritten(error, target):
            raise told from error
        raise


# ---------------------------------------------------------------------------------------- where things lie
def root() -> Path:
    """Return the checkout that holds this package, or the working directory when it is installed elsewhere."""
    return _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()


def _named(variable: str) -> Path | None:
    return Path(os.path.realpath(os.path.expanduser(os.environ[variable]))) if os.environ.get(variable) else None


def make_absolute() -> None:
    """Make the folders that this process's environment names absolute: notebooks and jobs run in other folders."""
    os.environ.update({name: str(folder) for name in FOLDERS if (folder := _named(name))})


make_absolute()


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


def shown(folder: Path) -> str:
    """Return how a folder is called where others may read it: by its path in the checkout, or by its variable."""
    if folder.is_relative_to(root()):
        return f"{folder.relative_to(root())}/"
    return next((f"${name}" for name in FOLDERS if _named(name) == folder), folder.name)


def quiet() -> None:
    """Turn off the libraries' own progress bars and chatter, unless the reader has set those variables.

    Workers write them all at once, and they would bury the one line a task that `pbb.run` writes.
    """
    for library in ("HF_HUB", "HF_DATASETS"):
        os.environ.setdefault(f"{library}_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


# ------------------------------------------------------------------------------------------- the manifest
def write_manifest(folder: Path | str, manifest: Mapping[str, Any]) -> None:
    """Write manifest.json (sorted, indented, UTF-8) in one step. The last thing that a writer does."""
    file = Path(folder) / MANIFEST
    try:
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise RecordsError(f"{file}: cannot be written as JSON: {error}") from None
    write_whole(file, text)


def seal(folder: Path, name: str, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a folder that is to be called `name`, with a checksum of each file in it and of itself."""
    files = {file.relative_to(folder).as_posix(): sha256(file) for file in folder.rglob("*") if file.is_file()}
    sealed = {**manifest, "folder": name, "files": files}
    write_manifest(folder, {**sealed, "seal": _seal(sealed)})


def _seal(manifest: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in manifest.items() if name != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def checked(folder: Path, *parts: str) -> dict[str, Any]:
    """Return the manifest of a folder that `seal` closed, after comparing `parts` of it with their checksums.

    Parts are files, or folders of files, in it; "." is all. A file that has not changed since is not read again.

    Raises:
        CorruptRunError: something is not what was written there; the message names the folder to delete.
        RecordsError: there is no complete folder.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise RecordsError(f"{folder}: nothing complete here ({MANIFEST} is written last, and is absent)")
    if not isinstance(manifest.get("files"), dict):
        raise CorruptRunError(folder / MANIFEST, "has no checksums, so another version of this package wrote it")
    for part in parts:
        own = [name for name in manifest["files"] if part == "." or name == part or name.startswith(f"{part}/")]
        if not own:
            raise CorruptRunError(folder / part, "is missing, and its manifest does not know it", folder)
        for name in own:
            compare(folder / name, manifest["files"][name], folder)
    return manifest


def compare(file: Path, expected: str, folder: Path) -> None:
    """Raise CorruptRunError unless `file`, of the complete `folder`, has the checksum `expected`."""
    try:
        found = checksum(file)
    except FileNotFoundError:
        raise CorruptRunError(file, "is missing, though the manifest names it", folder) from None
    except OSError as error:
        raise CorruptRunError(file, f"cannot be read ({error.strerror})", folder) from None
    if found != expected:
        wrong = f"does not match its manifest (sha256 {found[:12]}…, expected {str(expected)[:12]}…)"
        raise CorruptRunError(file, wrong, folder)


def checksum(file: Path) -> str:
    """Return the sha256 of a file, which this process reads again only when it has changed."""
    stat = file.stat()
    return _checksum(str(file), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=4096)
def _checksum(file: str, *_: int) -> str:
    return sha256(Path(file))


def sha256(file: Path) -> str:
    """Return the checksum of a file, in hexadecimal digits."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_manifest(folder: Path | str) -> dict[str, Any] | None:
    """The manifest of a complete folder, None where there is none. Raises CorruptRunError if damaged or another's."""
    file = Path(folder) / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CorruptRunError(file, f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are both ValueErrors
        raise CorruptRunError(file, f"is not valid JSON ({error})") from None
    if not isinstance(manifest, dict):
        raise CorruptRunError(file, f"holds a {type(manifest).__name__}, not an object")
    if "seal" in manifest and manifest["seal"] != _seal(manifest):
        raise CorruptRunError(file, "was changed after it was written")
    if "seal" in manifest and manifest["folder"] != Path(folder).absolute().name:
        raise CorruptRunError(file, f"belongs to another folder, {manifest['folder']}")
    return manifest


def is_complete(folder: Path | str) -> bool:
    """Whether `folder` was finished: it has a manifest. Raises CorruptRunError where that is damaged."""
    return read_manifest(folder) is not None


def environment_manifest(packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """What the numbers may depend on, without host names or paths. Looks versions up, imports nothing."""
    find = importlib.metadata.distributions
    revision, dirty = git_revision()
    return {
        "packages": {name: next((found.version for found in find(name=name)), None) for name in packages},
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.machine()}",
        "git": {"revision": revision, "dirty": dirty},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_revision() -> tuple[str | None, bool | None]:
    """Commit of the checkout that holds this package and whether tracked files differ; None, None outside."""
    checkout = _PACKAGE.parent
    if not (checkout / ".git").exists():  # installed inside someone else's repository: not our revision
        return None, None
    how: dict[str, Any] = {"cwd": checkout, "text": True, "timeout": 20, "stderr": subprocess.DEVNULL}
    try:
        revision = subprocess.check_output(["git", "rev-parse", "HEAD"], **how)
        changed = subprocess.check_output(["git", "status", "--porcelain", "--untracked-files=no"], **how)
    except (OSError, subprocess.SubprocessError):
        return None, None
    return revision.strip(), bool(changed.strip())


# ------------------------------------------------------------------------------------------ atomic folders
@contextmanager
def locked(path: Path, timeout: float = -1) -> Iterator[None]:
    """Hold the lock of `path`, as whoever builds it does: what lies half-written beside it then is of a dead process.

    The system frees a lock when its process ends, however that ends. Raises filelock's Timeout after so many seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(str(file), is_singleton=True)  # a thread may take it again
    with lock.acquire(timeout):
        if lock.lock_counter == 1:
            for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.partial*"):
                _remove(left)
        try:
            yield
        finally:
            if lock.lock_counter == 1:
                with suppress(OSError):
                    file.unlink()  # who waits for it meanwhile sees that it is gone, and makes another


@contextmanager
def whole_file(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a hidden sibling of `target` to write (or make a folder of), which takes its place at a clean exit.

    After an exception nothing is left, and what there was is whole. One process at a time builds it. Raises
    RecordsError where it cannot be written.
    """
    with explained(target), locked(target):
        hidden = _hidden_sibling(target)
        try:
            yield hidden
            for path in (*hidden.rglob("*"), hidden):
                _sync(path)
            _put_in_place(hidden, target, replace)
        finally:
            _remove(hidden)  # gone already where it was renamed


@contextmanager
def atomic_folder(path: Path | str, *, replace: bool = False) -> Iterator[Path]:
    """As `whole_file`, of a folder: yields an empty one, whose files are written one by one.

    A complete folder that is already there is kept, unless `replace`. An incomplete one is replaced.
    """
    with whole_file(Path(path), replace=replace) as partial:
        partial.mkdir()
        yield partial


def once(folder: Path, work: Callable[[Path], object]) -> None:
    """Do `work` into `folder` unless it is complete; a process that asks for the same meanwhile waits for it."""
    if is_complete(folder):
        return
    with explained(folder), locked(folder):
        if not is_complete(folder):
            with atomic_folder(folder) as partial:
                work(partial)


def write_whole(file: Path, text: str) -> None:
    """Write a file's text (UTF-8, line ends as they are) in one step. Raises RecordsError where it cannot be."""
    with whole_file(file) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def sweep(folder: Path) -> None:
    """Remove what killed runs have left in `folder`: half-written folders, and locks that nobody holds."""
    locks = {file.name[1:-5] for file in folder.glob(".*.lock")}
    for name in locks | {left.name[1:-8].rpartition(".")[0] for left in folder.glob(".*.partial")}:
        with suppress(OSError, Timeout), locked(folder / name, timeout=0):
            pass


def _hidden_sibling(target: Path) -> Path:
    ending = ".ipynb" * (target.suffix == ".ipynb")  # without which papermill warns
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial{ending}")


def _remove(left: Path) -> None:
    with suppress(OSError):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _put_in_place(built: Path, target: Path, replace: bool) -> None:
    if built.is_file():
        os.replace(built, target)
        return
    if target.exists() and not target.is_dir():
        raise RecordsError(f"{target}: a file is where a folder must be; move it away")
    with suppress(CorruptRunError):
        if not replace and is_complete(target):
            return
    aside = _hidden_sibling(target)
    if target.exists():
        os.rename(target, aside)
    try:
        os.rename(built, target)
    except OSError:
        if aside.exists():
            os.rename(aside, target)
        raise
    _sync(target.parent)
    _remove(aside)


def _sync(path: Path) -> None:
    if path.is_file() or os.name == "posix":  # a directory cannot be opened on Windows
        # Windows flushes only what is open for writing.
        descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
