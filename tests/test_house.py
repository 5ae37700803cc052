"""The house style, executed. Each rule is a function from the files to what breaks it, and each is shown to bite.

A finding is a text ``file:line: what``. The rules that ruff, mypy and import-linter know are left to them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("adapters", "gateway", "schemas", "security", "simulators")

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
ENGINE_STATEMENTS_MAX = 25
"""SQL statements that exist for one engine only: as few as the bulk paths and the locks need."""

BARE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|HACK)\b|#\s*XXX")
ADDRESSES = re.compile(
    r"\bpypi\.org|pythonhosted\.org|index-url[ =]\S*:|(?<![\w.])/(?:root|work|opt/(?:wheels|pypi))/", re.IGNORECASE
)
"""Addresses of package registries, and folders of one particular machine."""

PURE = ("gateway/core/", "schemas/model/")
MONEY = (
    *PURE,
    "gateway/flow/",
    "gateway/store/",
    "adapters/rails/",
    "schemas/iso20022/",
    "schemas/mt/",
    "schemas/tabular/",
    "schemas/orders",
)
CLOCKLESS = (
    *PURE,
    "gateway/flow/",
    "gateway/store/",
    "gateway/app",
    "adapters/",
    "schemas/",
    "security/",
    "simulators/",
)
"""Where time and randomness come as arguments."""

NOT_INJECTED = frozenset({
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "uuid.uuid1", "uuid.uuid4", "uuid4",
    "random.random", "random.randint", "random.choice", "random.shuffle", "random.sample", "random.uniform",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A file of the project: its name from the root, and its text."""

    name: str
    text: str

    def tree(self) -> ast.Module:
        """Return the syntax tree of a Python file."""
        return ast.parse(self.text, self.name)

    @property
    def is_python(self) -> bool:
        """Whether it is Python."""
        return self.name.endswith(".py")

    @property
    def is_source(self) -> bool:
        """Whether it is Python of one of the four floors."""
        return self.is_python and self.name.split("/", 1)[0] in FLOORS

    @property
    def is_test(self) -> bool:
        """Whether it is a file of tests."""
        return self.is_python and Path(self.name).name.startswith("test_")


def project() -> list[File]:
    """Return the text files that are or will be tracked."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = []
    for name in sorted(set(listed.stdout.split("\0")) - {""}):
        path = ROOT / name
        if path.is_file():
            try:
                files.append(File(name, path.read_text(encoding="utf-8")))
            except UnicodeDecodeError:  # a picture or a hostile sample: not written by hand
                continue
    return files


def others(files: list[File]) -> list[File]:
    """Return the files without this one, which holds a bad example of everything."""
    return [file for file in files if file.name != "tests/test_house.py"]


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(file: File) -> Iterator[Function]:
    """Yield every function and method of a file."""
    return (node for node in ast.walk(file.tree()) if isinstance(node, Function))


def long_functions(files: list[File]) -> Iterator[str]:
    """A function that does not fit on a screen does more than its name says."""
    for file in (one for one in files if one.is_python):
        for node in functions(file):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{file.name}:{node.lineno}: {node.name} is {lines} lines long, {FUNCTION_LINES_MAX} at most"


def long_files(files: list[File]) -> Iterator[str]:
    """A file that grows past this has two purposes."""
    for file in (one for one in files if one.is_source):
        lines = file.text.count("\n")
        if lines > FILE_LINES_MAX:
            yield f"{file.name}:1: {lines} lines, {FILE_LINES_MAX} at most"


def missing_docstrings(files: list[File]) -> Iterator[str]:
    """Modules, public classes and functions, and tests say what they are for."""
    for file in (one for one in files if one.is_source or one.is_test):
        tree = file.tree()
        if file.text.strip() and not ast.get_docstring(tree):
            yield f"{file.name}:1: the module has no docstring"
        scopes: list[ast.Module | ast.ClassDef] = [tree]
        while scopes:
            for node in scopes.pop().body:
                if not isinstance(node, ast.ClassDef | Function):
                    continue
                if isinstance(node, ast.ClassDef):
                    scopes.append(node)
                if not node.name.startswith("_") and not ast.get_docstring(node):
                    yield f"{file.name}:{node.lineno}: {node.name} has no docstring"


def floats(files: list[File]) -> Iterator[str]:
    """Money is integer minor units: no float at all in the core, and nothing made a float where money passes."""
    for file in (one for one in files if one.is_source and one.name.startswith(MONEY)):
        pure = file.name.startswith(PURE)
        for node in ast.walk(file.tree()):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            named = isinstance(node, ast.Name) and node.id == "float"
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            if called or (pure and (named or literal)):
                yield f"{file.name}:{getattr(node, 'lineno', 1)}: a float where money passes"


def naive_times(files: list[File]) -> Iterator[str]:
    """Every moment has a time zone."""
    for file in (one for one in files if one.is_source):
        for node in ast.walk(file.tree()):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).removeprefix("datetime.")
            zoned = any(keyword.arg in {"tzinfo", "tz", None} for keyword in node.keywords)
            arguments = {"datetime": 8, "datetime.now": 1, "now": 1, "datetime.fromtimestamp": 2, "fromtimestamp": 2}
            naive = called in arguments and not zoned and len(node.args) < arguments[called]
            if called == "now" and not ast.unparse(node.func).startswith("datetime."):
                naive = False
            if naive or called.endswith(("utcnow", "utcfromtimestamp")):
                yield f"{file.name}:{node.lineno}: {ast.unparse(node.func)} without a time zone"


def own_clocks(files: list[File]) -> Iterator[str]:
    """Time and randomness are arguments, so that one seed replays everything."""
    for file in (one for one in files if one.is_source and one.name.startswith(CLOCKLESS)):
        modules = {alias.asname or alias.name for node in ast.walk(file.tree()) if isinstance(node, ast.Import)
                   for alias in node.names}  # fmt: skip
        for node in ast.walk(file.tree()):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in NOT_INJECTED:
                continue
            if not ast.unparse(node.func).startswith("random.") or "random" in modules:
                yield f"{file.name}:{node.lineno}: {ast.unparse(node.func)}() is not injected"


def unfinished(files: list[File]) -> Iterator[str]:
    """What is not done is not left behind as a note in the code."""
    for file in others(files):
        for number, line in enumerate(file.text.splitlines(), 1):
            found = UNFINISHED.search(line) if not file.name.endswith((".csv", ".lock")) else None
            if found:
                yield f"{file.name}:{number}: {found.group()}"


def bare_names(files: list[File]) -> Iterator[str]:
    """A file is named after what it is about."""
    for file in files:
        if BARE_NAMES & {part.removesuffix(".py") for part in file.name.split("/")}:
            yield f"{file.name}:1: its name says nothing"


def addresses(files: list[File]) -> Iterator[str]:
    """No file names a package registry, an index or a folder of one machine; lock files name no address at all."""
    for file in others(files):
        for number, line in enumerate(file.text.splitlines(), 1):
            if ADDRESSES.search(line) or (file.name.endswith(".lock") and ("://" in line or line.startswith("-"))):
                yield f"{file.name}:{number}: {line.strip()[:80]}"


def unreasoned_ignores(files: list[File]) -> Iterator[str]:
    """Each thing that a checker is told to overlook has its reason beside it."""
    for file in others(files):
        if file.name == "pyproject.toml":
            lint = file.text[file.text.index("[tool.ruff.lint]") : file.text.index("[tool.mypy]")]
            start = file.text[: file.text.index(lint)].count("\n") + 1
            for number, line in enumerate(lint.splitlines(), start):
                if re.match(r'\s+"[A-Z]+[0-9]*",', line) and not re.search(r"#\s*\S.{7,}", line):
                    yield f"{file.name}:{number}: {line.strip()} has no reason"
        elif file.is_python:
            for number, line in enumerate(file.text.splitlines(), 1):
                noted = re.search(r"#\s*(?:noqa\b(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[\w, -]+\])?)(.*)", line)
                if noted and len(noted.group(1).strip(" #-")) < len("rule 1"):
                    yield f"{file.name}:{number}: {noted.group().strip()} has no reason"


def engine_statements(files: list[File]) -> Iterator[str]:
    """The two engines share their SQL; what differs stays countable."""
    named = re.compile(r"^--\s*name:\s*([\w]+)", re.MULTILINE)
    own = [file for file in files if re.match(r"gateway/store/queries/(?:sqlite|postgres)\w*\.sql$", file.name)]
    found = sorted({name for file in own for name in named.findall(file.text)})
    if len(found) > ENGINE_STATEMENTS_MAX:
        said = f"{len(found)} statements for one engine, {ENGINE_STATEMENTS_MAX} at most"
        yield f"gateway/store/queries:1: {said}: {found}"


def unused_statements(files: list[File]) -> Iterator[str]:
    """A statement that nobody asks for is read, translated and mended for nothing."""
    asking = [file.text for file in files if file.is_python and file.name.startswith(("gateway/", "simulators/"))]
    asked = {name for text in asking for name in re.findall(r"\"(\w+)\"", text)}
    for file in (one for one in files if one.name.startswith("gateway/store/queries/")):
        for number, line in enumerate(file.text.splitlines(), 1):
            named = re.match(r"--\s*name:\s*(\w+)", line)
            if named and named.group(1) not in asked:
                yield f"{file.name}:{number}: nobody asks for {named.group(1)}"


def unpackaged_data(files: list[File]) -> Iterator[str]:
    """Data beside the code is installed with it, else the installed gateway lacks its SQL."""
    text = next(file.text for file in files if file.name == "pyproject.toml")
    patterns = tomllib.loads(text)["tool"]["setuptools"]["package-data"]["*"]
    for file in files:
        beside_code = file.name.split("/", 1)[0] in FLOORS and not file.is_python
        if beside_code and not any(fnmatch(Path(file.name).name, pattern) for pattern in patterns):
            yield f"{file.name}:1: not in [tool.setuptools.package-data]"


def unlisted_modules(files: list[File]) -> Iterator[str]:
    """What only one part of the gateway may import is forbidden to all its other parts, each by name."""
    children = {file.name.split("/")[1].removesuffix(".py") for file in files if file.is_python
                and file.name.startswith("gateway/") and file.name != "gateway/__init__.py"}  # fmt: skip
    text = next(file.text for file in files if file.name == "pyproject.toml")
    for contract in tomllib.loads(text)["tool"]["importlinter"]["contracts"]:
        only = re.match(r"Only gateway\.(\w+) speaks", contract["name"])
        if only:
            listed = {name.removeprefix("gateway.") for name in contract["source_modules"]}
            for child in sorted(children - listed - {only.group(1)}):
                yield f"pyproject.toml:1: {contract['name']}: gateway.{child} is not in its list"


Rule = Callable[[list[File]], Iterator[str]]
RULES: tuple[Rule, ...] = (
    long_functions, long_files, missing_docstrings, floats, naive_times, own_clocks, unfinished, bare_names, addresses,
    unreasoned_ignores, engine_statements, unused_statements, unpackaged_data, unlisted_modules,
)  # fmt: skip

_PYPROJECT = (
    '[tool.ruff.lint]\nignore = [\n  "E501",\n]\n[tool.mypy]\n[tool.setuptools.package-data]\n"*" = ["*.sql"]\n'
    '[[tool.importlinter.contracts]]\nname = "Only gateway.bus speaks AMQP"\nsource_modules = ["gateway.app"]\n'
)
_STATEMENTS = "".join(f"-- name: statement_{number}\nselect 1;\n" for number in range(ENGINE_STATEMENTS_MAX + 1))
BREAKS: dict[str, tuple[File, ...]] = {
    "long_functions": (File("gateway/a.py", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),),
    "long_files": (File("gateway/a.py", "x = 1\n" * (FILE_LINES_MAX + 1)),),
    "missing_docstrings": (
        File("gateway/a.py", '"""A."""\nclass A:\n    """A."""\n    def f(self):\n        return 1\n'),
    ),
    "floats": (File("gateway/core/a.py", "rate = 0.5\n"), File("gateway/flow/a.py", "x = float(amount)\n")),
    "naive_times": (File("gateway/a.py", "x = datetime(2026, 1, 1)\n"), File("gateway/a.py", "x = datetime.now()\n")),
    "own_clocks": (
        File("gateway/flow/a.py", "x = datetime.now(UTC)\n"),
        File("gateway/core/a.py", "x = uuid.uuid4()\n"),
    ),
    "unfinished": (File("docs/a.md", "TODO: write this\n"),),
    "bare_names": (File("gateway/utils.py", ""), File("gateway/common/a.py", "")),
    "addresses": (File("a.lock", "a==1 @ https://b/c\n"), File("docs/a.md", "see /root/x\n")),
    "unreasoned_ignores": (File("pyproject.toml", _PYPROJECT), File("gateway/a.py", "x = 1  # noqa: E501\n")),
    "engine_statements": (File("gateway/store/queries/sqlite.sql", _STATEMENTS),),
    "unused_statements": (File("gateway/store/queries/a.sql", "-- name: nobodys!\nselect 1;\n"),),
    "unpackaged_data": (File("gateway/a.xml", "<a/>"),),
    "unlisted_modules": (File("gateway/a.py", ""), File("gateway/flow/a.py", "")),
}


@pytest.fixture(scope="module")
def files() -> list[File]:
    """Return the project's files, read once."""
    return project()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_style(rule: Rule, files: list[File]) -> None:
    """A rule that is only written down is forgotten; each finding says where to look."""
    found = list(rule(files))
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_can_fail(rule: Rule) -> None:
    """A rule that finds nothing in a bad example would find nothing in the project either."""
    for bad in BREAKS[rule.__name__]:
        beside = [] if bad.name == "pyproject.toml" else [File("pyproject.toml", _PYPROJECT)]
        assert list(rule([bad, *beside])), f"{rule.__name__} overlooks {bad}"


def test_the_project_is_seen_whole(files: list[File]) -> None:
    """Rules over an empty list of files would pass; each floor has to be among them."""
    seen = {file.name.split("/", 1)[0] for file in files if file.is_source}
    assert seen == set(FLOORS)
