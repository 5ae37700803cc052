"""What the documents say is there: links, commands, kinds of exceptions, and what is generated from the code."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from gateway.cli.root import app
from gateway.core.kinds import ENTRY_KINDS, KINDS, table
from gateway.core.lifecycle import diagram, events
from security.jws import OrderKey, read_public

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
WITH_COMMANDS = [ROOT / "README.md", DOCS / "RUNBOOK.md", DOCS / "exceptions.md", DOCS / "adding-a-bank.md"]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(gateway [^`]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def test_the_lifecycle_diagram_is_the_table() -> None:
    """A picture that shows another lifecycle than the table is worse than none; `make docs` writes it again."""
    assert diagram() in (DOCS / "lifecycle.md").read_text(encoding="utf-8")


def test_the_events_are_explained_beside_the_diagram() -> None:
    """A word on an arrow says little; `make docs` writes what each means again."""
    assert events() in (DOCS / "lifecycle.md").read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------- links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link inside the project points to a file that exists, and to a heading of it where it names one."""
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target} leads nowhere"
        if anchor:
            assert anchor in set(_anchors(path.read_text(encoding="utf-8"))), f"{page.name}: {target}: no such heading"


def _anchors(text: str) -> Iterator[str]:
    """Yield the anchors of a page's headings, as the usual renderers make them."""
    for heading in _HEADING.findall(text):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -------------------------------------------------------------------------------------------------------- commands


def commands_of(text: str) -> Iterator[str]:
    """Yield the gateway commands of a page: lines of its shell blocks, and code within sentences."""
    prose = _FENCE.sub("", text)
    yield from (" ".join(found.split()) for found in _INLINE.findall(prose))
    for language, block in _FENCE.findall(text):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                yield from re.findall(r"(?:^|\$\()\s*(gateway [^|)#>]*)", line)


def check_command(command: str) -> None:
    """Follow a command line through the real command line: its words and options exist, whatever their values."""
    found: Any = typer.main.get_command(app)
    options: set[str] = {name for option in found.params for name in option.opts}
    for word in shlex.split(command.replace("`", ""))[1:]:
        if word.startswith("-"):
            options |= {"--help"}
            assert word in options, f"{command}: {found.name} has no option {word}"
        elif hasattr(found, "get_command"):
            below = found.get_command(None, word)
            assert below is not None or word == "--config", f"{command}: there is no command {word}"
            found = below
            options = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_every_command_exists(page: Path) -> None:
    """Who reads a runbook at night types what it says, letter by letter."""
    commands = [one for one in commands_of(page.read_text(encoding="utf-8")) if "--config FILE" not in one]
    assert len(commands) > 3, "no command was found, so nothing was tested"
    for command in commands:
        check_command(command)


@pytest.mark.parametrize("wrong", ["gateway reconcile", "gateway payments lists", "gateway payments list --stat HELD"])
def test_a_command_that_does_not_exist_is_found(wrong: str) -> None:
    """A test that accepts everything would let the documents rot."""
    with pytest.raises(AssertionError, match=r"no command|no option"):
        check_command(wrong)


# ------------------------------------------------------------------------------------------------------ exceptions


def kinds_opened(*, of_entries: bool = False) -> set[str]:
    """Return the kinds of exceptions that the source opens: what ``Finding`` and what explains an entry are given.

    Args:
        of_entries: those alone that explain why an entry fits nothing, and what stands for none of them.
    """
    found: set[str] = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                name = getattr(call.func, "id", "")
                explains = any(getattr(node, "attr", "") == "finding" for node in ast.walk(function))
                if name == "Finding" and call.args and (explains or not of_entries):
                    found |= set(_texts(call.args[0], function, module))
                if name in {"Explanation", "Decision"}:
                    given = (word.value for word in call.keywords if word.arg == "finding")
                    found |= {text for value in given for text in _texts(value, function, module)}
    return found


def _texts(value: ast.expr, function: ast.FunctionDef, module: ast.Module) -> Iterator[str]:
    """Yield the texts that an expression can be: its constants, those of its names, or what callers hand in."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Constant(value=None):
            return  # what has no exception
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _texts(part, function, module)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body, function, module)
            yield from _texts(orelse, function, module)
        case ast.Name(id=name):
            yield from _named(name, function, module)
        case ast.Attribute():
            return  # a field of an Explanation, which is looked at where it is made
        case _:
            raise ValueError(f"line {value.lineno}: the kind of this exception cannot be read from the source")


def _named(name: str, function: ast.FunctionDef, module: ast.Module) -> Iterator[str]:
    """Yield what a name can be: what is assigned to it in the function or the module, or what callers give."""
    for node in (*ast.walk(function), *module.body):
        for value in _assigned(name, node):
            yield from _texts(value, function, module)
    parameters = [argument.arg for argument in function.args.args if argument.arg != "self"]
    if name not in parameters:
        return
    for caller in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(caller) if isinstance(node, ast.Call)):
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if called == function.name:
                yield from _texts(call.args[parameters.index(name)], caller, module)


def _assigned(name: str, node: ast.AST) -> Iterator[ast.expr]:
    """Yield what a node assigns to a name, alone or as one of several."""
    if not isinstance(node, ast.Assign):
        return
    for target in node.targets:
        pairs = [(target, node.value)]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(target.elts, node.value.elts, strict=True))
        yield from (value for to, value in pairs if getattr(to, "id", "") == name)


def test_every_kind_of_exception_is_described() -> None:
    """A kind that nobody explains is closed by whoever is tired of it; one that is gone misleads."""
    described = set(re.findall(r"^### `(\w+)`$", (DOCS / "exceptions.md").read_text(encoding="utf-8"), re.MULTILINE))
    opened = kinds_opened()
    assert {"silent_bank", "unmatched_debit", "returned_unknown", "batch_incomplete"} <= opened, "the search is broken"
    assert described == set(KINDS)
    assert opened == set(KINDS)


def test_the_kinds_of_entries_are_those_that_explain_them() -> None:
    """What is not known as one stays open when its entry is explained."""
    assert kinds_opened(of_entries=True) == set(ENTRY_KINDS)


def test_the_table_of_kinds_is_the_one_of_the_code() -> None:
    """A time that people are held to is the one that they can read; `make docs` writes it again."""
    assert table() in (DOCS / "exceptions.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------- keys of sources


def test_a_key_that_is_made_as_the_readme_says_signs_orders(tmp_path: Path) -> None:
    """The lines are run as they stand, but for the passphrase, which openssl asks a person for."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI"):
            raise AssertionError("openssl is absent")
        pytest.skip("openssl is absent")
    lines = re.findall(r"^openssl .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    default = (ROOT / "gateway" / "default.toml").read_text(encoding="utf-8")
    assert len(lines) == 2
    for line in lines:
        assert f"#   {line}\n" in default
        given = "-passin" if " pkey " in line else "-pass"
        subprocess.run([*shlex.split(line), given, "pass:a source's own"], cwd=tmp_path, check=True, timeout=60)
    key = OrderKey.read(tmp_path / "fmis-2026.key.pem", b"a source's own", source="fmis", key_id="fmis-2026")
    public = read_public(tmp_path / "fmis-2026.pem", source="fmis", key_id="fmis-2026")
    assert (key.algorithm, key.public_key) == ("ES256", public.public_key)
