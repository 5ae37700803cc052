"""Validation against usage guidelines: restricted schemas, stricter than the official ones, as every rail has its own.

The project's own stand in schemas/xsd, their types in one included file. An operator may give a folder with a bank's
guideline or the official definitions, ``<definition>.xsd`` each, which are then used instead.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from lxml import etree
from lxml.etree import _Element

from schemas.errors import ConfigurationError, DocumentRefused
from schemas.iso20022.record import local_name

OWN_FOLDER = Path(__file__).parent.parent / "xsd"
CBPR_FOLDER = OWN_FOLDER / "cbpr"
"""Guidelines of messages to correspondents abroad (CBPR+), where they differ from those at home."""
_DEFINITION = re.compile(r"[a-z]{4}\.[0-9]{3}\.[0-9]{3}\.[0-9]{2}", re.ASCII)
_STEP = re.compile(r"(?P<name>[^\[]+)(?:\[(?P<number>[0-9]+)\])?")
_NAMESPACE = re.compile(r"\{[^{}]*+\}")
_LONG_NUMBER = re.compile(r"[0-9]{5,}(?=[0-9]{4})")


class _Compiled(threading.local):
    """The schemas compiled so far: per thread, because a schema keeps the errors of its last validation."""

    def __init__(self) -> None:
        self.schemas: dict[Path, etree.XMLSchema] = {}


_COMPILED = _Compiled()


def validate(root: _Element, definition: str, folder: Path | None = None) -> None:
    """Check a Document or an AppHdr against the usage guideline of its definition.

    Args:
        root: the element itself, alone or inside an envelope.
        definition: ``pacs.008.001.08``, ``head.001.001.02``.
        folder: the operator's own guidelines, preferred where it has one for this definition.

    Raises:
        DocumentRefused: FF01, with the path of the first element that is wrong, and its line.
        ConfigurationError: there is no guideline for this definition, or it is not a schema.
    """
    schema = _schema(definition, folder)
    if schema.validate(root):
        return
    errors = list(schema.error_log)  # type: ignore[call-overload] # the stubs do not know it is a sequence
    first = errors[0]
    text = _LONG_NUMBER.sub("...", _NAMESPACE.sub("", first.message))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    raise DocumentRefused(f"line {first.line}: {text}{more}", code="FF01", path=_names(root, str(first.path or "")))


def _schema(definition: str, folder: Path | None) -> etree.XMLSchema:
    """Return the compiled guideline, the operator's before our own."""
    # The name may come from a message's header, and becomes part of a file's path.
    if _DEFINITION.fullmatch(definition) is None:
        raise ConfigurationError(f"{definition[:40]!r} is not the name of a message definition")
    path = OWN_FOLDER / f"{definition}.xsd"
    if folder is not None and (folder / path.name).is_file():
        path = folder / path.name
    schema = _COMPILED.schemas.get(path)
    if schema is None:
        schema = _COMPILED.schemas[path] = _compile(path)
    return schema


def _compile(path: Path) -> etree.XMLSchema:
    if not path.is_file():
        raise ConfigurationError(f"there is no usage guideline {path.name}, neither here nor in an operator's folder")
    try:
        return etree.XMLSchema(file=str(path))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
        raise ConfigurationError(f"{path} is not an XML schema: {error}") from error


def _names(root: _Element, path: str) -> str:
    """Turn libxml2's ``/*/*[2]/*[3]`` into ``Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]``."""
    names, element = [local_name(root)], root
    for step in path.split("/")[2:]:
        match = _STEP.fullmatch(step)
        children = [] if match is None else _matching(element, match["name"])
        number = int(match["number"] or 1) if match else 0
        if not 0 < number <= len(children):
            break
        element = children[number - 1]
        names.append(_numbered(element))
    return "/".join(names)


def _matching(element: _Element, name: str) -> list[_Element]:
    """Return the child elements that a step means: ``*`` all of them, ``p:Ntry`` those of that name."""
    children = list(element.iterchildren("*"))  # without comments
    wanted = name.rpartition(":")[2]
    return children if wanted == "*" else [child for child in children if local_name(child) == wanted]


def _numbered(element: _Element) -> str:
    """Return the tag, with its place where it has brothers of the same name."""
    parent = element.getparent()
    brothers = [] if parent is None else [child for child in parent if child.tag == element.tag]
    name = local_name(element)
    return f"{name}[{brothers.index(element) + 1}]" if len(brothers) > 1 else name
