"""A treasury and its central bank, with keys of one small authority, for the tests of the simulators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.clock import ManualClock
from schemas.model.money import Money
from security.authority import create_authority, issue
from security.keys import FileKey
from security.trust import TrustStore
from simulators.behaviour import Behaviour
from simulators.central_bank import CentralBank
from simulators.names import CENTRAL_BANK, TREASURY
from tests.simulators.treasury import DOLLAR_ACCOUNT, ENVELOPE, RIEL_ACCOUNT, START, Keys, Office


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Keys of a treasury, its bank, and another bank that the same authority certified."""
    at = START - timedelta(days=10)
    authority = create_authority("Root", at=at)

    def make(name: str, bic: str) -> FileKey:
        private = ec.generate_private_key(ec.SECP256R1())
        return FileKey(name, private, issue(authority, private.public_key(), owner_name=name, owner_bic=bic, at=at))

    treasury, bank, stranger = make("treasury", TREASURY), make("bank", CENTRAL_BANK), make("other", "ABAAKHPP")
    of_bank = TrustStore(anchors=[authority.certificate], signers=[treasury.certificate, stranger.certificate])
    of_treasury = TrustStore(anchors=[authority.certificate], signers=[bank.certificate])
    return Keys(treasury, bank, stranger, of_treasury, of_bank)


@pytest.fixture
def clock() -> ManualClock:
    """A clock of the test's own."""
    return ManualClock(START)


@pytest.fixture
def office(keys: Keys, clock: ManualClock) -> Office:
    """The treasury's office."""
    return Office(keys, clock)


@pytest.fixture
def make_bank(keys: Keys, clock: ManualClock) -> Callable[..., CentralBank]:
    """Open a central bank with a behaviour, a seed and other balances where the test wants them."""

    def make(behaviour: Behaviour | None = None, seed: int = 1, **changes: Any) -> CentralBank:
        openings = {RIEL_ACCOUNT: Money.parse("1000000", "KHR"), DOLLAR_ACCOUNT: Money.parse("5000", "USD")}
        return CentralBank(
            **{
                "bic": CENTRAL_BANK,
                "customer_bic": TREASURY,
                "openings": openings,
                "key": keys.bank,
                "trust": keys.of_bank,
                "now": clock.now,
                "random": Random(seed),
                "envelope": ENVELOPE,
                "behaviour": behaviour or Behaviour(),
                **changes,
            }
        )

    return make


@pytest.fixture
def today() -> date:
    """The day on which the clock starts."""
    return START.date()
