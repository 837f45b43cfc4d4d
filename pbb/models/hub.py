"""Models of the Hugging Face Hub: which commit, whether there is room, and what to do where one cannot be had.

A run store keeps to one commit of a model: the registry's (pbb/hub_models.json) or the one asked for as
``owner/name@commit``, else the latest on the day when this store first needed the model (of a branch or tag, where
``@`` names one), written into its models.json. `python -m pbb pin-models` pins the registry's models for everybody.

Files go to the Hub's own cache (``HF_HOME``), and the token comes from where `hf auth login` puts it, or ``HF_TOKEN``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pbb import store
from pbb.models.model_size import GB, Shape
from pbb.registry import HUB_MODELS, SMOLLM2, ModelError, first_line, hub_models, hub_name

FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model"]  # and no weights of another format
NOT_THESE = ["original/*", "onnx/*", "consolidated*"]
SPARE = 1 * GB  # of disk, that a download should leave
# What is said of a model that the Hub does not give, by the error.
REFUSALS = {
    "GatedRepoError": " is gated. Ask for access at https://huggingface.co/{repository}, where its licence is "
    "accepted, and give your token to this machine: `hf auth login`, or HF_TOKEN=…. {token}",
    "RepositoryNotFoundError": ": the Hub has no such model, or a private one. Check the spelling at "
    "https://huggingface.co/{repository}; for a private one, `hf auth login`. {token}",
    "RevisionNotFoundError": ": {repository} has no revision {revision!r}; its commits are listed at "
    "https://huggingface.co/{repository}/commits/main{latest}",
    "HfHubHTTPError": ": the Hub refused ({said}). {token} Trying again may help",
}
UNREACHABLE = (
    " is not in the Hub's cache, and the Hub cannot be reached ({cause}). With a network, `hf download {repository}` "
    f"fills the cache (HF_HOME), which can be copied elsewhere; or take {SMOLLM2}, a tiny model or a folder instead"
)


def fetch(name: str) -> Path:
    """Return the folder of a Hub model at its commit, downloaded into the Hub's cache unless it lies there.

    Raises:
        ModelError: it is gated, unknown or out of reach, or the disk is too small; the message says what to do.
    """
    import httpx
    from huggingface_hub import constants, errors

    wanted, known = hub_name(name), commit_of(name)
    revision = known or wanted.revision
    try:
        if known and (folder := _cached(wanted.repository, known)):
            return folder
        if not constants.HF_HUB_OFFLINE:
            _check_disk(name, revision)
        folder = Path(_snapshot(wanted.repository, revision))
        if constants.HF_HUB_OFFLINE and not _is_whole(folder):  # then what there is was returned
            raise errors.LocalEntryNotFoundError("files are missing")
    except (httpx.HTTPError, errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise ModelError(f"model={name!r}{_refusal(error, name)}") from None
    if not known:
        _record(_recorded_as(name), folder.name)
    return folder


def _refusal(error: Exception, name: str) -> str:
    from huggingface_hub import constants, get_token

    kinds = (kind.__name__ for kind in type(error).__mro__)
    cause = error.__cause__ or error
    return next((REFUSALS[kind] for kind in kinds if kind in REFUSALS), UNREACHABLE).format(
        repository=hub_name(name).repository,
        revision=commit_of(name) or hub_name(name).revision,
        latest="" if "@" in name else ", and `python -m pbb pin-models` pins the latest",
        token="A token was found and sent." if get_token() else "No token was found.",
        said=first_line(error),
        cause="HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set"
        if constants.HF_HUB_OFFLINE
        else f"{type(cause).__name__}: {first_line(cause)}",
    )


def commit_of(name: str) -> str:
    """Return the commit that stands for a Hub model in this run store, or "" where none was fetched yet."""
    revision = hub_name(name).revision
    return revision if re.fullmatch("[0-9a-f]{40}", revision) else _recorded().get(_recorded_as(name), "")


def _recorded_as(name: str) -> str:
    wanted = hub_name(name)
    return f"{wanted.repository}@{wanted.revision}" if wanted.revision else wanted.repository


def room(name: str) -> str:
    """Return what fetching a Hub model would take, in words, or "" where it is in the cache; asks nobody."""
    from huggingface_hub import constants

    known = commit_of(name)
    if known and _cached(hub_name(name).repository, known):
        return ""
    shape = Shape.of(hub_models().get(hub_name(name).repository, {}).get("shape"))
    size = "a download of unknown size"
    if shape:  # the Hub keeps weights in 16 bits
        size = f"about {(2 * shape.parameters + 2e7) / GB:.1f} GB to download"
    return f"{size} ({free_disk(Path(constants.HF_HUB_CACHE)) / GB:.0f} GB free)"


def pin_models(say: Callable[[str], object] = print) -> None:
    """Write the latest commit of every model of the registry into it. Needs a network, and no token.

    Raises:
        ModelError: the Hub did not answer.
    """
    from huggingface_hub import HfApi

    found = dict(hub_models())
    for name in found:
        try:
            commit = HfApi().model_info(name).sha
        except Exception as error:  # any of httpx's or the Hub's: nothing is written
            raise ModelError(f"model={name!r}: the Hub did not tell its commit ({error}); nothing was pinned") from None
        found[name] = {**found[name], "revision": commit}
        say(f"{name}: {commit}")
    _write(HUB_MODELS, found)
    hub_models.cache_clear()


def _snapshot(repository: str, revision: str, **how: Any) -> Any:
    from huggingface_hub import snapshot_download

    return snapshot_download(
        repository, revision=revision or "main", allow_patterns=FILES, ignore_patterns=NOT_THESE, **how
    )


def _cached(repository: str, revision: str) -> Path | None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(_snapshot(repository, revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Whether a model's configuration and all parts of its weights are there: a download may have been cut off."""
    index = folder / "model.safetensors.index.json"
    parts = {"config.json"}
    if index.exists():
        parts.update(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return any(folder.glob("*.safetensors")) and all((folder / part).exists() for part in parts)


def _check_disk(name: str, revision: str) -> None:
    from huggingface_hub import constants
    from huggingface_hub.errors import DryRunError

    try:
        files = _snapshot(hub_name(name).repository, revision, dry_run=True)
    except DryRunError:
        return  # no network, or no access: the download itself says which
    needed = sum(file.file_size or 0 for file in files if file.will_download)
    cache = Path(constants.HF_HUB_CACHE)
    if needed + SPARE > (free := free_disk(cache)):
        raise ModelError(
            f"model={name!r} wants {needed / GB:.1f} GB in {cache}, where {free / GB:.1f} GB are free. Free some, "
            "or set HF_HOME to a folder on a larger disk"
        )


def free_disk(folder: Path) -> int:
    """Return how many bytes are free where `folder` lies or would lie."""
    return shutil.disk_usage(next(path for path in [folder, *folder.absolute().parents] if os.path.exists(path))).free


def _recorded() -> dict[str, str]:
    file = store.runs() / "models.json"
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def _record(repository: str, commit: str) -> None:
    """Keep a commit, unless another process has kept one first."""
    file = store.runs() / "models.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with store.locked(file):
        _write(file, {repository: commit, **_recorded()})


def _write(file: Path, content: object) -> None:
    store.write_whole(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
