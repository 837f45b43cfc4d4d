"""The repository's address is one; the first cell fetches that; pbb comes beside a host's torch and numpy."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import badges
import nbformat
import papermill
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from pbb.notebook import bootstrap
from pbb.notebook.execute import read_parameters

ROOT = Path(__file__).parents[1]
ADDRESS = "octocat/pbb"  # of a repository that git finds in a folder
T4 = "echo 'Tesla T4, 15360 MiB'"
# What Colab's GPU image of June 2026 came with, as far as pbb needs it; but it had Python 3.12, torch 2.11.0+cu128.
COLAB = """
accelerate==1.13.0 datasets==4.0.0 dill==0.3.8 filelock==3.29.0 fsspec==2025.3.0 huggingface_hub==1.17.0
ipykernel==6.17.1 ipython==7.34.0 jinja2==3.1.6 jupyter_client==7.4.9 lark==1.3.1 matplotlib==3.10.0
multiprocess==0.70.16 numpy==2.0.2 packaging==26.2 pandas==2.2.2 peft==0.19.1 pip==24.1.2 psutil==5.9.5 pyarrow==18.1.0
pyzmq==26.2.1 requests==2.32.4 safetensors==0.7.0 scipy==1.16.3 seaborn==0.13.2 tokenizers==0.22.2 torchao==0.10.0
tornado==6.5.1 tqdm==4.67.3 traitlets==5.7.1 transformers==5.9.0 typer==0.25.1 torch==2.13.0
"""


# ------------------------------------------------------------------------------------------ one address, everywhere
def test_every_place_has_the_address_of_pyproject_and_no_link_leads_nowhere_before_there_is_one() -> None:
    """Else: `make badges`."""
    repository, tag = badges.address()
    for path in badges.places():
        text = path.read_text(encoding="utf-8")
        assert badges.rewrite(path, repository, tag) == text
        assert "OWNER" not in text
        assert repository or "colab.research" not in text


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The places that hold the address, copied to a folder of their own."""
    for path in badges.places():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_a_new_address_is_written_everywhere_and_changes_nothing_else(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = {path: path.read_text(encoding="utf-8") for path in badges.places(copy)}
    badges.main(["--repository", "first-owner/first-name", "--tag", "v1-first"], copy)
    before = {path: path.read_text(encoding="utf-8") for path in badges.places(copy)}

    badges.main(["--repository", "ada/pbb-fork", "--tag", "v9.8"], copy)

    assert badges.address(copy) == ("ada/pbb-fork", "v9.8")
    for path, text in before.items():
        now = text.replace("first-owner/first-name", "ada/pbb-fork").replace("v1-first", "v9.8")
        assert path.read_text(encoding="utf-8") == now != text
        own = [line.strip('," ').removesuffix("\\n") for line in without[path].splitlines()]
        assert all(line in now or line.startswith(("tag = ", "repository = ")) for line in own), path.name
        if path.suffix == ".ipynb":
            assert f"https://colab.research.google.com/github/ada/pbb-fork/blob/v9.8/notebooks/{path.name})" in now
    capsys.readouterr()
    badges.main([], copy)
    assert "ada/pbb-fork, v9.8: wrote nothing" in capsys.readouterr().out


def test_a_wrong_address_is_refused_and_nothing_written(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [path.read_bytes() for path in badges.places(copy)]
    for option, value, valid in (
        ("--repository", "https://github.com/ada/pbb", "; valid: owner/name"),
        ("--tag", "release/1", ""),
    ):
        with pytest.raises(SystemExit):
            badges.main([option, value], copy)
        assert f"={value!r} is not valid{valid}" in capsys.readouterr().err
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# New")]), copy / "new.ipynb")
    with pytest.raises(ValueError, match=r"new\.ipynb needs a title in Markdown and one cell tagged 'bootstrap'"):
        badges.rewrite(copy / "new.ipynb", "ada/pbb", "v1")
    assert [path.read_bytes() for path in badges.places(copy)] == before


# ---------------------------------------------------------------------------- beside what is there, in a bare Python
def test_constraints_keep_what_fits_and_bound_the_rest() -> None:
    lock = 'a==2.0\nb==2.0\nc==2.10\nnumpy==2.4.6\ntorch==2.13.0\nmac==1.0 ; sys_platform == "darwin"\n# a comment\n'
    present = {"torch": "2.11.0+cu128", "b": "3.1", "c": "2.9", "elsewhere": "7"}
    kept = ["torch==2.11.0+cu128", "a==2.0", "b<=3.1", "c<=2.10", "numpy==2.4.6", 'mac==1.0 ; sys_platform == "darwin"']
    assert bootstrap.constraints(lock, present) == kept


def offer(wheels: Path, name: str, version: str, source: str = "") -> Path:
    """Put a wheel of one module where pip finds it."""
    path, record = wheels / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info/RECORD"
    files = {
        f"{name}.py": source,
        record.replace("RECORD", "METADATA"): f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        record.replace("RECORD", "WHEEL"): "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        record.replace("RECORD", "INSTALLER"): "pip\n",
    }
    files[record] = "".join(f"{file},,\n" for file in [*files, record])
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return path


def with_card(folder: Path, script: str = T4) -> str:
    """A PATH on which nvidia-smi does `script`."""
    folder.mkdir()
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


class Host:
    """A bare Python with some tiny packages, where pip finds tiny wheels in a folder and nothing else."""

    def __init__(self, folder: Path, **present: str) -> None:
        self.folder, self.wheels, self.path = folder, folder / "wheels", str(folder)
        self.wheels.mkdir()
        venv = folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        self.python, self.site = venv / "bin" / "python", site_packages(venv)
        for name in ("pip", "packaging"):  # `find_spec("pip")` would take setuptools' distutils from this process
            (self.site / name).symlink_to(Path(sysconfig.get_path("purelib"), name))
        for name, version in present.items():
            with zipfile.ZipFile(offer(self.wheels, name, version)) as wheel:
                wheel.extractall(self.site)

    def offer(self, *wheels: str) -> None:
        for wheel in wheels:
            offer(self.wheels, *wheel.split("-"))

    def project(self, dependencies: list[str], lock: str, **extras: list[str]) -> None:
        text = f"[project]\ndependencies = {dependencies!r}\n[project.optional-dependencies]\n"
        text += "".join(f"{name} = {pins!r}\n" for name, pins in extras.items())
        (self.folder / "pyproject.toml").write_text(text)
        (self.folder / "requirements.lock").write_text(lock.replace(" ", "\n"))

    def prepare(self, first: str = "", then: str = "") -> subprocess.CompletedProcess[str]:
        """Call `bootstrap.prepare` in a fresh Python there, `first` before it and `then` after it."""
        lines = [f"import sys; sys.path.append({str(ROOT)!r})", first, "from pathlib import Path"]
        lines += ["from pbb.notebook import bootstrap", f"bootstrap.prepare(Path({str(self.folder)!r}))", then]
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        environment = {**os.environ, **pip, "PATH": self.path}
        environment.pop("PYTHONPATH", None)
        code = "\n".join(lines)
        return subprocess.run([self.python, "-c", code], env=environment, capture_output=True, text=True)

    def versions(self) -> dict[str, str]:
        return dict(sorted(path.name.removesuffix(".dist-info").split("-") for path in self.site.glob("*.dist-info")))


def site_packages(venv: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(venv), "platbase": str(venv)}))


def test_what_lacks_comes_from_the_lock_and_torch_and_numpy_stay(tmp_path: Path) -> None:
    host = Host(tmp_path, torch="1.0", numpy="1.0", fits="1.0", old="1.0")
    host.offer("torch-2.0", "numpy-2.0", "fits-2.0", "old-2.0", "old-3.0", "new-1.0", "new-2.0")
    host.project(["torch>=1", "numpy", "fits", "old>=2", "new"], "torch==2.0 numpy==2.0 fits==2.0 old==2.0 new==1.0")
    done = host.prepare(then="import new")
    assert done.returncode == 0, done.stderr
    assert host.versions() == {"fits": "1.0", "new": "1.0", "numpy": "1.0", "old": "2.0", "torch": "1.0"}
    said = ("keeping torch 1.0, numpy 1.0", "added: new 1.0\n", "replaced: old 1.0 → 2.0\n", f"pbb lies in {tmp_path}")
    assert [line for line in said if line not in done.stdout] == []


def test_a_restart_is_asked_for_until_it_happens(tmp_path: Path) -> None:
    host = Host(tmp_path, torch="1.0", numpy="1.0", old="1.0")
    host.offer("old-2.0")
    host.project(["old>=2"], "old==2.0")
    twice = f"try: bootstrap.prepare(Path({str(tmp_path)!r}))\nexcept bootstrap.BootstrapError: pass"
    restart = "Please restart the session now"

    done = host.prepare(first=f"import old; from pathlib import Path; from pbb.notebook import bootstrap\n{twice}")
    assert done.returncode == 1
    assert restart in done.stderr, "the second call forgot about it"
    assert "in use: old 1.0 → 2.0." in done.stderr
    assert done.stdout.count("replaced:") == 1

    shutil.rmtree(host.wheels)  # from here on nothing can be installed
    after = host.prepare(first="import old")
    assert after.returncode == 0, after.stderr
    assert restart not in after.stderr + after.stdout
    assert "replaced:" not in after.stdout


def test_where_torch_would_have_to_go_nothing_changes_and_pip_is_quoted(tmp_path: Path) -> None:
    host = Host(tmp_path, torch="1.0", numpy="1.0")
    host.offer("torch-2.0", "new-1.0")
    host.project(["torch>=2", "new"], "torch==2.0 new==1.0")
    done = host.prepare()
    assert done.returncode == 1
    assert "pip could not add what pbb needs while keeping torch and numpy as they are" in done.stderr
    assert "torch>=2" in done.stderr
    assert host.versions() == {"numpy": "1.0", "torch": "1.0"}


@pytest.mark.parametrize("unsloth", ["", "raise ImportError('no kernels for this card')", None])
def test_with_a_card_the_llm_presets_model_and_unsloth_come_at_their_pins(unsloth: str | None, tmp_path: Path) -> None:
    """Without a card neither does (above). Where Unsloth is not to be had (None) or not to be used, PEFT trains."""
    host = Host(tmp_path, torch="1.0", numpy="1.0")
    host.path = with_card(tmp_path / "bin")
    host.offer("weights-1.0", "weights-2.0", "torch-2.0")
    if unsloth is not None:
        offer(host.wheels, "unsloth", "3.0", unsloth)
    host.project(["torch"], "torch==1.0", smollm2=["weights==1.0"], unsloth=["unsloth==3.0"])
    done = host.prepare()
    assert done.returncode == 0, done.stderr
    come = {"unsloth": "3.0"} if unsloth == "" else {}
    assert host.versions() == {"numpy": "1.0", "torch": "1.0", "weights": "1.0", **come}
    assert "GPU: Tesla T4, 15360 MiB" in done.stdout
    lines = [line for line in done.stdout.splitlines() if "so PEFT trains" in line]
    assert len(lines) == (unsloth != "")
    assert not unsloth or "ImportError: no kernels for this card" in lines[0]
    shutil.rmtree(host.wheels)
    if unsloth == "":
        again = host.prepare()
        assert again.returncode == 0, "what is there is not fetched again"
    else:
        host.project(["torch"], "torch==1.0", smollm2=["weights==2.0"], unsloth=[])
        assert "pip could not add preset llm's model" in host.prepare().stderr


@pytest.mark.parametrize(("version", "stays"), [("0.10.0", False), ("0.16.0", True)])
def test_a_torchao_that_peft_refuses_goes(version: str, stays: bool, tmp_path: Path) -> None:
    host = Host(tmp_path, torch="1.0", numpy="1.0", torchao=version)
    host.project(["torch"], "torch==1.0")
    done = host.prepare()
    assert done.returncode == 0, done.stderr
    assert ("torchao" in host.versions()) == stays
    assert (f"removed: torchao {version}" in done.stdout) != stays
    peft = importlib.util.find_spec("peft")  # found, not imported: that takes seconds
    text = Path(str(peft and peft.origin)).with_name("import_utils.py").read_text(encoding="utf-8")
    (oldest,) = re.findall(r'TORCHAO_MINIMUM_VERSION = .*parse\("([\d.]+)"\)', text)
    assert bootstrap.Version(oldest) == bootstrap.Version(bootstrap.REFUSED[1])


def test_the_gpu_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.gpu() == "no GPU"
    monkeypatch.setenv("PATH", with_card(tmp_path / "two", f"{T4}; {T4}"))
    assert bootstrap.gpu() == "GPU: Tesla T4, 15360 MiB; Tesla T4, 15360 MiB"
    monkeypatch.setenv("PATH", with_card(tmp_path / "none", "echo 'no driver'; exit 9"))
    assert bootstrap.gpu() == "no GPU that answers"


def test_a_notebook_shows_the_message_alone() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell, shown = InteractiveShell(), []
    shell._showtraceback = lambda kind, error, lines: shown.extend(lines)  # type: ignore[method-assign]
    shell.run_cell("from pbb.notebook.bootstrap import BootstrapError\nraise BootstrapError('Please restart.')")
    assert shown == ["Please restart."]


# ------------------------------------------------------------------------- notebooks as on Colab, out of a checkout
@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """This working tree, tagged: who clones the published address gets it. Returns an empty folder to work in."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    if names.returncode:
        pytest.skip("not in a git checkout")
    origin, work = tmp_path_factory.mktemp("origin"), tmp_path_factory.mktemp("content")
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).is_file():
            (origin / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, origin / name)
    badges.main(["--repository", ADDRESS], origin)
    _, tag = badges.address()
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init"], ["add", "--all"], [*identity, "commit", "-m", "all of it"], ["tag", tag]):
        options = ["-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false", "-c", "core.hooksPath="]
        subprocess.run(["git", *options, *command], cwd=origin, check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GIT_CONFIG_COUNT", "1")
        environment.setenv("GIT_CONFIG_KEY_0", f"url.{origin.as_uri()}.insteadOf")
        environment.setenv("GIT_CONFIG_VALUE_0", f"https://github.com/{ADDRESS}")
        yield work


def run_as_on_colab(python: Path, work: Path, monkeypatch: pytest.MonkeyPatch, *notebooks: str) -> list[str]:
    """Run notebooks at smoke size in `work`, in kernels of `python` that have google.colab loaded as Colab's have.

    Returns what each one's bootstrap cell printed. Raises papermill's error if a cell stops.
    """
    google = site_packages(python.parents[1]) / "google" / "colab"
    google.mkdir(parents=True)
    (google / "__init__.py").touch()
    startup = work / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00_colab.py").write_text("import google.colab\n")
    monkeypatch.setenv("IPYTHONDIR", str(work / "ipython"))
    for name in ("PYTHONPATH", "PBB_RUNS", "PBB_FIGURES"):
        monkeypatch.delenv(name, raising=False)

    class ThatPython(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="Colab", language="python")

    _, tag = badges.address()
    here, printed = work / f"pbb-{tag}", []
    values = {"preset": "smoke", "arms": ["proactive", "stage_1_only"]}  # which 00_start_here trains
    for name in notebooks:
        (fetched := work / f"{name}.ipynb").write_text(
            badges.rewrite(ROOT / "notebooks" / f"{name}.ipynb", ADDRESS, tag), encoding="utf-8"
        )
        own = {parameter: values[parameter] for parameter in read_parameters(fetched).keys() & values}
        how = {"kernel_name": "python3", "language": "python", "kernel_manager_class": ThatPython}
        done = papermill.execute_notebook(fetched, work / "done.ipynb", own, cwd=work, progress_bar=False, **how)
        (cell,) = [c for c in done.cells if "bootstrap" in c.metadata.get("tags", ())]
        printed.append("".join(output.get("text", "") for output in cell.outputs))
        assert f"pbb lies in {here}" in printed[-1]
        assert "pbb 0.1.0" in printed[-1], "pbb.setup() said nothing"
    assert (here / "runs").is_dir(), "it trained somewhere else than in its own checkout"
    return printed


def versions(python: Path) -> dict[str, str]:
    code = f"import json, sys; sys.path.append({str(ROOT)!r})\nfrom pbb.notebook.bootstrap import installed"
    code += "\nprint(json.dumps(installed()))"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return dict(json.loads(said.stdout))


@pytest.mark.parametrize("left", ["empty", "half", "whole", "foreign"])
def test_the_first_cell_repairs_a_half_made_clone(left: str, published: Path, tmp_path: Path) -> None:
    """A folder that is no clone is left alone and named; a whole one keeps a reader's edits."""
    _, tag = badges.address()
    folder, url = tmp_path / f"pbb-{tag}", f"--branch={tag} https://github.com/{ADDRESS}"
    command = badges.FETCH.split("!")[1].splitlines()[0].format(repository=ADDRESS, tag=tag)
    command = command.replace("{here}", folder.name).replace("{url}", url)
    files = {
        "half": {".git/config": "", "README.md": "cut off"},
        "foreign": {"mine.txt": "keep me"},
        "whole": {".git/index": "", "README.md": "edited"},
    }
    folder.mkdir()
    for name, text in files.get(left, {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)

    if left == "foreign":
        assert f"destination path '{folder.name}' already exists and is not an empty directory" in done.stderr
        assert (folder / "mine.txt").read_text() == "keep me"
        return
    assert done.returncode == 0, done.stderr
    assert ((folder / "README.md").read_text() == "edited") == (left == "whole")
    assert (folder / "pbb" / "notebook" / "bootstrap.py").is_file() == (left != "whole")


@pytest.mark.slow
@pytest.mark.parametrize("card", [False, True])
def test_notebooks_as_on_colab(card: bool, tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Python that has every package of ours but not pbb, so that pip has nothing to fetch from the network.

    What was trained without a card is found with one: the smoke preset trains the same on both. The second notebook
    finds what the first has brought; that a card's packages are not fetched again is shown above.
    """
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    (site_packages(venv) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")  # but no editable install
    before, pins = versions(python), dict[str, str]()
    if card:
        wheels = tmp_path / "wheels"
        wheels.mkdir()
        extras = badges.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        pins = dict(pin.split("==") for pin in (*extras["smollm2"], *extras["unsloth"]))
        for name, version in pins.items():
            offer(wheels, name.replace("-", "_"), version)
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PATH": with_card(tmp_path / "bin")}
        for name, value in offline.items():
            monkeypatch.setenv(name, value)

    notebooks = ["00_start_here"] if card else ["00_start_here", "99_claims"]
    first, *second = run_as_on_colab(python, published, monkeypatch, *notebooks)

    after = versions(python)
    assert after == before | {name.replace("_", "-"): version for name, version in pins.items()}
    assert f"keeping torch {before['torch']}, numpy {before['numpy']}" in first
    assert ("GPU: Tesla T4" in first) == card
    assert ("added:" in first) == (after.keys() != before.keys())
    assert "replaced:" not in first
    assert not any(word in said for said in second for word in ("added:", "replaced:"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    os.environ.get("PBB_TEST_INSTALL") != "1", reason="installs 2 GB from the network; set PBB_TEST_INSTALL=1"
)
def test_first_notebook_from_a_clean_installation(
    tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a Python with what Colab comes with, and nothing else."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *COLAB.split()], check=True)
    before = versions(python)
    assert not {"trl", "pbb"} & before.keys()

    (printed,) = run_as_on_colab(python, published, monkeypatch, "00_start_here")

    after = versions(python)
    for name in ("torch", "numpy", "pandas", "matplotlib", "scipy", "ipykernel", "ipython", "requests", "tornado"):
        assert after[name] == before[name]
    assert "torchao" not in after
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name in ("accelerate", "datasets", "peft", "pyarrow", "tokenizers", "transformers", "trl"):
        assert f"\n{name}=={after[name]}\n" in lock
    assert "added: " in printed
    assert re.search(r"replaced: accelerate 1\.13\.0 → ", printed)
    assert "restart" not in printed.lower()
