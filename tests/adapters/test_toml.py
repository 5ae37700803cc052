"""A mistake in a file is pointed at by its line, whatever way of writing TOML its author prefers."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.toml import FILE_BYTES_MAX, Location, read
from schemas.errors import ConfigurationError

TEXT = """\
# name = "not a key"
name = "a = b"

[message]
service = "x" # limit = 3
text = '''
[not.a.table]
'''

[currencies.KHR]
limit = "5"
[currencies."U.S"]
limit = "6"

[[accounts]]
number = "1"
[[accounts]]
number = "2"
keys = [{ kid = "a", file = "b" }]
point = { x = 1, y = "x = 2" }
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("name",), 2),
        (("message",), 4),
        (("message", "service"), 5),
        (("message", "missing"), 4),
        (("currencies", "KHR", "limit"), 11),
        (("currencies", "U.S", "limit"), 13),
        (("accounts", 0, "number"), 16),
        (("accounts", 1, "number"), 18),
        (("accounts", 1), 17),
        (("accounts", 1, "keys", 0, "kid"), 19),
        (("accounts", 1, "point", "y"), 20),
        (("nowhere",), 1),
    ],
)
def test_each_value_has_the_line_it_stands_on(tmp_path: Path, location: Location, line: int) -> None:
    """An operator who is told the line mends the file; one who is told "invalid profile" calls somebody."""
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    assert read(path).line(location) == line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name = \n", "line 1"),
        (b"name = 1\nname = 2\n", "not valid TOML"),
        (b"name = '\xff'", "not UTF-8 at byte 8"),
        (b"#" * (FILE_BYTES_MAX + 1), "larger than"),
    ],
)
def test_what_is_no_toml_is_refused_with_the_file(tmp_path: Path, content: bytes, said: str) -> None:
    """A wrong file is refused as such, before anything is made of it."""
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The commonest mistake is the wrong folder."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read"):
        read(tmp_path / "nowhere.toml")
