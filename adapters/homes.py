"""Profiles side by side: an account may be debited over several rails, and exactly one of them is its home.

The home is the profile to which the bank sends the account's statements; the others name it (``home = "..."``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.payment_settings import AccountSettings
from adapters.profile import Profile
from adapters.toml import Location

Fault = tuple[int, Location, str]
"""Which of the profiles, where in its file, and what is wrong there."""


def faults(profiles: Sequence[Profile], files: Sequence[object]) -> Iterator[Fault]:
    """Yield what is wrong with the accounts of profiles that are used together.

    Args:
        profiles: those in use.
        files: what each is called in what is said, such as its file.
    """
    homes: dict[tuple[str, str], int] = {}
    for place, profile in enumerate(profiles):
        for index, account in enumerate(profile.accounts):
            if not _is_home(profile, account):
                continue
            other = homes.setdefault((account.number, account.currency), place)
            if other != place:
                said = (
                    f"accounts.{index}.number: this account is also in {files[other]}; statements could not be told "
                    'apart: one of the two is its home, and the other says home = "..."'
                )
                yield place, ("accounts", index, "number"), said
    by_name = {profile.name: place for place, profile in enumerate(profiles)}
    for place, profile in enumerate(profiles):
        yield from _guests(place, profile, by_name, homes)
        yield from _prefunding(place, profile, profiles)


def _is_home(profile: Profile, account: AccountSettings) -> bool:
    return account.home in {None, profile.name}


def _guests(
    place: int, profile: Profile, by_name: Mapping[str, int], homes: Mapping[tuple[str, str], int]
) -> Iterator[Fault]:
    """Yield the accounts whose home is not there, or does not know of them."""
    for index, account in enumerate(profile.accounts):
        if _is_home(profile, account):
            continue
        location, home = ("accounts", index, "home"), by_name.get(account.home or "")
        if home is None:
            yield place, location, f"accounts.{index}.home: there is no profile {account.home!r}"
        elif homes.get((account.number, account.currency)) != home:
            said = f"{account.home} has no such account of its own; its statements would come to nobody"
            yield place, location, f"accounts.{index}.home: {said}"


def _prefunding(place: int, profile: Profile, profiles: Sequence[Profile]) -> Iterator[Fault]:
    """Yield currencies of which one rail watches what is on an account, while another one debits it unwatched."""
    for currency in profile.prefunding:
        ours = {account.number for account in profile.accounts if account.currency == currency}
        for other in profiles:
            shared = any(a.number in ours and a.currency == currency for a in other.accounts)
            if shared and currency not in other.prefunding:
                said = f"{other.name} debits the same account without [prefunding.{currency}]"
                yield place, ("prefunding", currency), f"prefunding.{currency}: {said}"
