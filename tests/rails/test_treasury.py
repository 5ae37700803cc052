"""The ground that the tests of whole rails stand on: a file leaves, a process dies, and nothing leaves twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rails.treasury import Treasury, treasury

BANKS = Path(__file__).parents[1] / "adapters" / "banks"


def by_folder(home: Path, name: str, **more: object) -> str:
    """Return a bank's profile with a watched folder as its transport; the folder is made."""
    for folder in ("out", "in"):
        (home / folder).mkdir(parents=True)
    said = "".join(f"{key} = {str(value).lower()}\n" for key, value in more.items())
    return (BANKS / f"{name}.toml").read_text(encoding="utf-8") + (
        f'\n[transport]\nkind = "folder"\nroot = "{home}"\noutgoing = "out"\nincoming = ["in"]\nstable_s = 0\n{said}'
    )


def sent(made: Treasury, count: int) -> bool:
    """Tell whether so many payments have left."""
    return made.are(SENT=count)


def test_a_file_leaves_as_it_was_archived(tmp_path: Path) -> None:
    """Exactly the signed and archived bytes, under the name that the rail gave them."""
    text = by_folder(tmp_path / "bank", "hill-bank")
    with treasury(tmp_path / "home", text) as made:
        made.pay(*(made.order(number) for number in range(3)))
        made.work(lambda: sent(made, 3), "everything is sent")
        assert [path.read_bytes() for path in (tmp_path / "bank" / "out").iterdir()] == made.documents()
        assert made.refusals() == {}
        assert made.faults() == []


@pytest.mark.parametrize("point", ["relay.courier_leased", "relay.courier_handed_over"])
def test_a_process_that_dies_in_between_sends_one_file(tmp_path: Path, point: str) -> None:
    """The next one hands the same file over, and finds that the bank has it."""
    text = by_folder(tmp_path / "bank", "hill-bank", duplicate_names_refused=True)
    with treasury(tmp_path / "home", text) as made:
        made.kill_at = point
        made.pay(made.order(1))
        made.work(lambda: sent(made, 1), "everything is sent")
        assert made.kill_at is None, "it has died there"
        assert len(list((tmp_path / "bank" / "out").iterdir())) == 1
        assert made.faults() == []
