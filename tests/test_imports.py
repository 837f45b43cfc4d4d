"""The rooms: imports go one way, as the contracts in pyproject.toml say, and nothing private is imported across."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_private_name_is_imported_across_modules() -> None:
    found = []
    for file in sorted((ROOT / "pbb").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pbb"):
                found += [f"{file.name}: {a.name}" for a in node.names if a.name[0] == "_" and a.name[:2] != "__"]
    assert not found


def test_domains_are_known_by_their_table() -> None:
    """Outside `programs/` a few lines alone name a domain: what records are labelled by, and those of two figures."""
    found = []
    for file in sorted((ROOT / "pbb").rglob("*.py")):
        if "programs" in file.relative_to(ROOT / "pbb").parts[:-1]:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Compare) or "domain" not in ast.unparse(node.left):
                continue
            if any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in node.comparators):
                found.append(str(file.relative_to(ROOT / "pbb")))
    figures = {f"figures/{name}.py" for name in ("f05_answer_mode", "f16_algorithms")}
    assert set(found) == {"analysis/labels.py", "analysis/verdicts.py", *figures}
