"""Every crash point, as the gateway's source names it: a new one cannot be forgotten.

A name is a text, or a text with the name of a parameter in it; then every call of that function says which texts it
can be. What cannot be read so is an error, not an omission.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "gateway"


def all_points(folder: Path = SOURCE) -> list[str]:
    """Return the names of all crash points below a folder, sorted.

    Raises:
        ValueError: a call whose name cannot be read from the source.
    """
    return sorted({name for path in folder.rglob("*.py") for name in points_of(path.read_text(encoding="utf-8"))})


def points_of(text: str) -> Iterator[str]:
    """Yield the names of the crash points in a module's text."""
    module = ast.parse(text)
    for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if _called(call) == "reach":
                yield from _names(call.args[0], function, module)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _names(argument: ast.expr, function: ast.FunctionDef, module: ast.Module) -> Iterator[str]:
    """Yield what the argument of a call can be."""
    match argument:
        case ast.Constant(value=str(name)):
            yield name
        case ast.JoinedStr(
            values=[ast.Constant(value=str(before)), ast.FormattedValue(value=ast.Name(id=name)), *rest]
        ):
            after = "".join(str(part.value) for part in rest if isinstance(part, ast.Constant))
            found = [f"{before}{value}{after}" for value in _values(name, function, module)]
            if not found:
                raise ValueError(f"line {argument.lineno}: nobody calls {function.name} with a text for {name}")
            yield from found
        case _:
            raise ValueError(f"line {argument.lineno}: the name of this crash point cannot be read from the source")


def _values(parameter: str, function: ast.FunctionDef, module: ast.Module) -> Iterator[str]:
    """Yield the texts that calls of a function in its module give to a parameter, by position."""
    names = [argument.arg for argument in function.args.args if argument.arg != "self"]
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        if _called(call) == function.name and parameter in names:
            value = call.args[names.index(parameter)]
            if not isinstance(value, ast.Constant):
                raise ValueError(f"line {value.lineno}: {parameter} of {function.name} is not a plain text")
            yield str(value.value)
