"""Every module can be imported, and every module is used: nothing is left over, nothing works at import."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gateway.flow.beside import MODULE as BESIDE
from gateway.flow.hands import MODULE as SECOND

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("adapters", "gateway", "schemas", "security", "simulators")


def name_of(path: Path) -> str:
    """Return the dotted name of a source file's module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))}


def imported_by(name: str, path: Path) -> set[str]:
    """Return the project's modules that a module imports, at its top or inside a function."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return found & set(MODULES)


def reachable(roots: set[str]) -> set[str]:
    """Return the modules that the roots lead to."""
    seen: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name in seen or name not in MODULES:
            continue
        seen.add(name)
        left += imported_by(name, MODULES[name])
        left.append(name.rpartition(".")[0])
    return seen


def entry_points() -> set[str]:
    """Return the modules that commands, the Makefile and a first process start, and those that profiles name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["scripts"], *project.get("entry-points", {}).values()]
    started = {target.partition(":")[0] for group in groups for target in group.values()}
    started |= set(re.findall(r"python -m ([a-z_0-9.]+)", (ROOT / "Makefile").read_text(encoding="utf-8")))
    named = ("adapters.rails.", "adapters.transports.")
    return started | {SECOND, BESIDE} | {name for name in MODULES if name.startswith(named)}


def test_every_module_is_reached_from_a_command() -> None:
    """A module that no command leads to is dead code, or was forgotten in the composition root."""
    empty = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    unused = set(MODULES) - reachable(entry_points()) - empty
    assert not unused, f"reached by no command: {sorted(unused)}"


@pytest.mark.parametrize("floor", FLOORS)
def test_every_module_can_be_imported_alone(floor: str) -> None:
    """Importing reads no environment, opens no connection and needs no other module to have been there before."""
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    for loaded in [one for one in sys.modules if one.split('.')[0] in "
        f"{FLOORS!r}]:\n"
        "        del sys.modules[loaded]\n"
    )
    names = [name for name in MODULES if name.split(".")[0] == floor]
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "GATEWAY_DATABASE_URL": "not-read"}
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *names],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert said.returncode == 0, said.stderr
