"""What each role of an operator may do: one table, and the rule that a maker is not the checker.

Roles are given to people by the administrator; keys belong to the security officer; nobody can do both ends of
anything. `INCOMPATIBLE` names the roles that one person must not hold together.
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

    Names are compared without case, surrounding blanks, and compatibility forms, so that nobody approves an own order
    by writing the name another way.
    """
    name = _plain(checker)
    return bool(name) and all(name != _plain(maker) for maker in makers)


def _plain(name: str) -> str:
    """Return a name as it is compared: NFKC, case-folded, without blanks around and invisible characters inside."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(each for each in folded if unicodedata.category(each) not in {"Cf", "Cc"}).strip()
