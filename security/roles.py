"""The rule that a maker is not the checker, and the table of roles for a web console that is not built yet.

`is_independent` holds today: whoever approves, confirms or answers is another person than whoever proposed it. Nobody
has a role so far: the command line trusts the machine, whose operating system says who may run it, and every deed is
in the audit trail with the name given and the machine's user.

The table says what each role may do once people have accounts of their own: roles are given by the administrator, keys
belong to the security officer, and nobody can do both ends of anything. `INCOMPATIBLE` names the roles that one person
must not hold together. Nothing but its tests asks it yet.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A role of an operator of the gateway."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    SECURITY_OFFICER = "security_officer"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Action(StrEnum):
    """Something that a person can ask the gateway to do."""

    VIEW = "view"
    SUBMIT = "submit"
    IMPORT_STATEMENT = "import_statement"
    CANCEL = "cancel"
    RESOLVE = "resolve"
    REPLAY = "replay"
    APPROVE = "approve"
    APPROVE_RESOLUTION = "approve_resolution"
    MANAGE_KEYS = "manage_keys"
    APPROVE_KEYS = "approve_keys"
    READ_AUDIT = "read_audit"
    VERIFY_AUDIT = "verify_audit"
    MANAGE_PROFILES = "manage_profiles"
    MANAGE_OPERATORS = "manage_operators"


PERMISSIONS: Final[Mapping[Role, frozenset[Action]]] = {
    Role.VIEWER: frozenset({Action.VIEW}),
    Role.OPERATOR: frozenset(
        {Action.VIEW, Action.SUBMIT, Action.IMPORT_STATEMENT, Action.CANCEL, Action.RESOLVE, Action.REPLAY}
    ),
    Role.APPROVER: frozenset({Action.VIEW, Action.APPROVE, Action.APPROVE_RESOLUTION}),
    Role.SECURITY_OFFICER: frozenset({Action.VIEW, Action.MANAGE_KEYS, Action.APPROVE_KEYS, Action.READ_AUDIT}),
    Role.AUDITOR: frozenset({Action.VIEW, Action.READ_AUDIT, Action.VERIFY_AUDIT}),
    Role.ADMIN: frozenset({Action.VIEW, Action.MANAGE_PROFILES, Action.MANAGE_OPERATORS}),
}
"""The whole table. An action that is not in a role's set is refused; there is no role that may do everything."""

INCOMPATIBLE: Final[frozenset[frozenset[Role]]] = frozenset(
    {
        frozenset({Role.OPERATOR, Role.APPROVER}),  # who prepares does not release
        frozenset({Role.OPERATOR, Role.SECURITY_OFFICER}),  # who prepares does not hold the signing key
        frozenset({Role.APPROVER, Role.SECURITY_OFFICER}),
        frozenset({Role.ADMIN, Role.OPERATOR}),  # who gives out the roles moves no money
        frozenset({Role.ADMIN, Role.APPROVER}),
        frozenset({Role.ADMIN, Role.SECURITY_OFFICER}),
        frozenset({Role.AUDITOR, Role.OPERATOR}),  # who examines has done none of it
        frozenset({Role.AUDITOR, Role.APPROVER}),
        frozenset({Role.AUDITOR, Role.SECURITY_OFFICER}),
        frozenset({Role.AUDITOR, Role.ADMIN}),
    }
)


def may(role: Role | str, action: Action | str) -> bool:
    """Tell whether a role may do something. A role or action that is not in the table may not."""
    try:
        return Action(action) in PERMISSIONS[Role(role)]
    except ValueError:
        return False


def conflicts(roles: Collection[Role]) -> list[tuple[Role, Role]]:
    """Return the pairs among one person's roles that must not be held together, in alphabetical order."""
    held = set(roles)
    return sorted((first, second) for first, second in (sorted(pair) for pair in INCOMPATIBLE if pair <= held))


def is_independent(checker: str, *makers: str) -> bool:
    """Tell whether a checker is none of the makers, and somebody at all.

    Names are compared by what a reader sees of their letters and digits: without case, blanks, punctuation and what is
    invisible, in one form of what has several, and with one letter for those of other alphabets that look like it. So
    nobody approves an own order by writing the name another way; two people whose names look alike cannot check each
    other.
    """
    name = _plain(checker)
    return bool(name) and all(name != _plain(maker) for maker in makers)


_LOOKALIKES: Final[Mapping[str, str]] = {
    "a": "\u0430\u03b1\u0251", "b": "\u0432\u03b2", "c": "\u0441", "d": "\u0501", "e": "\u0435\u03b5", "g": "\u0261",
    "h": "\u043d\u04bb", "j": "\u0458\u0237", "k": "\u043a\u03ba", "l": "1i\u0456\u04cf\u03b9\u0131", "m": "\u043c",
    "n": "\u03b7", "o": "0\u043e\u03bf", "p": "\u0440\u03c1", "q": "\u051b", "s": "\u0455", "t": "\u0442\u03c4",
    "u": "\u03bc\u03c5", "v": "\u03bd", "w": "\u051d\u03c9", "x": "\u0445\u03c7", "y": "\u0443", "z": "\u03b6",
}  # fmt: skip
"""Folded letters and digits that look like a Latin letter: Cyrillic, Greek, and the few of Latin (after UTS 39)."""
_ONE_FORM: Final = str.maketrans({other: letter for letter, others in _LOOKALIKES.items() for other in others})
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that have no glyph."""


def _plain(name: str) -> str:
    """Return a name as it is compared: its letters, marks and digits, in one form of each, without what is unseen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = (each for each in folded if unicodedata.category(each)[0] in "LMN" and not _is_unseen(each))
    return "".join(seen).translate(_ONE_FORM)


def _is_unseen(character: str) -> bool:
    """Tell whether a letter or mark is not shown: a filler, a joiner, or what selects a variant of the one before."""
    return character in _UNSEEN or "VARIATION SELECTOR" in unicodedata.name(character, "")
