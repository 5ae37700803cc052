"""Roles: the whole table, and that nobody approves what he made."""

from __future__ import annotations

from itertools import combinations

import pytest

from security.roles import INCOMPATIBLE, PERMISSIONS, Action, Role, conflicts, is_independent, may


def test_every_role_is_in_the_table_and_every_action_is_somebodys() -> None:
    """A new role or action cannot be forgotten."""
    assert set(PERMISSIONS) == set(Role)
    assert frozenset().union(*PERMISSIONS.values()) == set(Action)


@pytest.mark.parametrize("role", Role)
def test_every_role_may_view(role: Role) -> None:
    """Nobody works blind."""
    assert may(role, Action.VIEW)


@pytest.mark.parametrize(
    ("action", "roles"),
    [
        (Action.SUBMIT, {Role.OPERATOR}),
        (Action.RESOLVE, {Role.OPERATOR}),
        (Action.APPROVE, {Role.APPROVER}),
        (Action.APPROVE_RESOLUTION, {Role.APPROVER}),
        (Action.MANAGE_KEYS, {Role.SECURITY_OFFICER}),
        (Action.VERIFY_AUDIT, {Role.AUDITOR}),
        (Action.MANAGE_OPERATORS, {Role.ADMIN}),
    ],
)
def test_what_moves_money_or_trust_belongs_to_one_role(action: Action, roles: set[Role]) -> None:
    """Whoever may do it is told by one line of the table."""
    assert {role for role in Role if may(role, action)} == roles


def test_no_one_role_prepares_and_approves() -> None:
    """Also not the administrator."""
    for first, second in ((Action.SUBMIT, Action.APPROVE), (Action.RESOLVE, Action.APPROVE_RESOLUTION)):
        assert not [role for role in Role if may(role, first) and may(role, second)]


def test_roles_that_prepare_and_approve_together_are_incompatible() -> None:
    """One person with two roles must not close what no single role closes."""
    for pair in combinations(Role, 2):
        together = PERMISSIONS[pair[0]] | PERMISSIONS[pair[1]]
        if {Action.SUBMIT, Action.APPROVE} <= together or {Action.MANAGE_OPERATORS, Action.APPROVE} <= together:
            assert frozenset(pair) in INCOMPATIBLE


def test_conflicts_name_the_pairs() -> None:
    """The administrator is told which two roles do not go together."""
    assert conflicts([Role.OPERATOR, Role.APPROVER, Role.VIEWER]) == [(Role.APPROVER, Role.OPERATOR)]
    assert conflicts([Role.OPERATOR, Role.VIEWER]) == []


@pytest.mark.parametrize(("role", "action"), [("root", "view"), ("viewer", "fly"), ("", ""), ("VIEWER", "view")])
def test_what_is_not_in_the_table_is_refused(role: str, action: str) -> None:
    """A name from outside that nobody knows permits nothing."""
    assert not may(role, action)
    assert may("viewer", "view")


@pytest.mark.parametrize(
    "name", ["sokha", "SOKHA", " sokha ", "\uff53\uff4f\uff4b\uff48\uff41", "so\u200bkha", "sokha\u0000"]
)
def test_a_maker_is_no_checker_however_the_name_is_written(name: str) -> None:
    """Case, blanks, wide letters and invisible characters make no second person."""
    assert not is_independent(name, "sokha")
    assert not is_independent("sokha", "dara", name)


@pytest.mark.parametrize(
    "name",
    [
        "sok  dara", "sok-dara", "sokdara", "sok\u00a0dara", "sok dara\ufe0f", "so\u034fk dara", "\u115fsok dara",
        "sok d\u0430ra", "s\u03bfk dara", "s0k dara", "so\u3164k dara", "sok dara\U000e0101",
    ],
)  # fmt: skip
def test_a_name_that_reads_the_same_is_the_same_person(name: str) -> None:
    """Blanks and punctuation inside, fillers, selectors, and letters of other alphabets that look alike."""
    assert not is_independent(name, "sok dara")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u179f\u17bb\u1781\u17b6", "\u179f\u17bb\u1781"),
        ("\u178f\u17b6\u179a\u17b6", "\u178f\u17b6\u179a"),
        ("sok dara", "sok dany"),
        ("clerk 1", "clerk 2"),
    ],
)
def test_vowels_and_numbers_tell_people_apart(one: str, other: str) -> None:
    """A Khmer vowel is a mark, and is seen."""
    assert is_independent(one, other)


def test_a_checker_is_somebody_else() -> None:
    """And somebody at all."""
    assert is_independent("dara", "sokha")
    assert is_independent("dara")
    assert not is_independent("  ", "sokha")
