"""Broken profiles, one mistake a row: the check finds each with its file and its line, before a payment does."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from adapters.profile import SHIPPED, check_profiles

KEY = asyncssh.generate_private_key("ssh-ed25519")
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

FILES = """\
name = "delta-bank"
rail = "customer_file"
bank_bic = "ABAAKHPP"
own_bic = "TREAKHPP"
time_zone = "Asia/Phnom_Penh"

[message]
charge_bearers = ["SLEV"]

[pain]
version = "pain.001.001.09"

[pain.initiator]
name = "General Department of National Treasury"

[currencies.KHR]
decimals = 0
limit = "4000000000"
cut_off = "15:00"

[[accounts]]
number = "740000000001"
currency = "KHR"
name = "National Treasury, payments"

[signature]

[statements]
signed = false

[transport]
"""
SFTP = (
    FILES
    + """\
kind = "sftp"
host = "files.bank.example"
user = "treasury"
outgoing = "in"
incoming = ["out"]
passphrase = "key-passphrase"
"""
)
SOAP = (
    FILES
    + """\
kind = "soap"
base_url = "https://bank.example"
path = "/services"
namespace = "urn:bank:1"
server_ca = "bank-ca.crt"
client_certificate = "client.crt"
client_key = "client.key"
client_key_passphrase = "client-passphrase"

[transport.hmac]
key = "shared-key"

[transport.credentials]
user_name = "user"

[transport.operations.submit]
name = "pay"
"""
)
OAUTH = (
    FILES
    + """\
kind = "https"
base_url = "https://bank.example"
server_ca = "bank-ca.crt"

[transport.oauth]
token_url = "https://bank.example/token"
client_id = "client-id"
client_secret = "client-secret"

[transport.paths]
submit = "POST /payments"
"""
)
FOLDER = (
    FILES
    + """\
kind = "folder"
root = "{root}"
outgoing = "out"
outgoing_for = { recall = "recalls" }
incoming = ["in"]
"""
)

PROTECTED = (
    SFTP
    + """\

[transport.protection]
form = "encrypted"
own_keys = ["own.pgp"]
passphrase = "pgp-passphrase"
"""
)


def line_of(text: str, part: str) -> int:
    """Return the number of the first line that holds the part."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def found(folder: Path, text: str) -> list[tuple[int, str]]:
    """Return line and words of everything that is wrong with a profile whose secrets lie in a folder."""
    path = folder / "delta-bank.toml"
    path.write_text(text, encoding="utf-8")
    findings = check_profiles([path], secrets=folder / "secrets")
    assert {finding.file for finding in findings} <= {path}
    return [(finding.line, finding.message) for finding in findings]


def put(folder: Path, **contents: str) -> None:
    """Put files into the relationship's vault; ``__`` in a name stands for a dot, ``_`` for a hyphen."""
    vault = folder / "secrets" / "delta-bank"
    vault.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = vault / name.replace("__", ".").replace("_", "-")
        path.write_text(content, encoding="utf-8")
        path.chmod(0o600)


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ('cut_off = "15:00"', 'cutt_off = "15:00"', "cutt_off", "currencies.KHR.cutt_off: unknown key"),
        ('rail = "customer_file"', 'rail = "customer_post"', "rail =", "rail: there is no adapters/rails/"),
        ('kind = "sftp"', 'kind = "ftp"', "kind =", "transport.kind: should be"),
        ('host = "files.bank.example"\n', "", "[transport]", "transport.host: missing"),
        ('outgoing = "in"', 'outgoing = "../in"', "outgoing =", "'../in' is not a path below the root"),
        ('incoming = ["out"]', 'incoming = ["in"]', "incoming =", "'in' is a folder for outgoing files as well"),
        ("[currencies.KHR]", '[currencies]\ncut_off = "9:00"\n[currencies.KHR]', 'cut_off = "9:00"',
         "a cut-off without a currency"),
        ("[currencies.KHR]", '[currencies]\nlimit = "5"\n[currencies.KHR]', 'limit = "5"',
         "a limit without a currency"),
        ('time_zone = "Asia/Phnom_Penh"\n', "", "name =", "a cut-off means nothing without a time zone"),
        ('cut_off = "15:00"', 'cut_off = "3 pm"', "cut_off", "is not a time of day"),
        ('limit = "4000000000"', 'limit = "4e9"', "limit =", "currencies.KHR.limit: "),
        ('currency = "KHR"', 'currency = "USD"', "currency =", "USD is not among this profile's currencies"),
        ("[signature]\n", '[signature]\nalgorithm = "md5"\n', "algorithm", "signature.algorithm: should be"),
        ("[signature]\n\n", "", "name =", "signature: missing"),
        ('key = "client.key"', 'key = "../client.key"', "key =", "transport.key: "),
        ('version = "pain.001.001.09"', 'version = "pain.001.001.08"', "version", "pain.version: should be"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_said_with_its_line(tmp_path: Path, old: str, new: str, at: str, said: str) -> None:
    """What is misspelt would be a default, a refusal of the bank, or silence."""
    good = SFTP + 'key = "client.key"\n'
    text = good.replace(old, new, 1)
    assert text != good
    findings = found(tmp_path, text)
    matching = [line for line, words in findings if said in words]
    assert matching == [line_of(text, at)], findings


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (SFTP, {"known_hosts": "[transport]", "key": "[transport]", "passphrase": "passphrase ="}),
        (SOAP, {"server_ca": "server_ca", "client_certificate": "client_certificate", "client_key": "client_key =",
                "client_key_passphrase": "client_key_passphrase", "hmac.key": 'key = "shared-key"',
                "credentials.user_name": "user_name"}),
        (PROTECTED, {"known_hosts": "[transport]", "key": "[transport]", "passphrase": "passphrase =",
                     "protection.own_keys.0": "own_keys", "protection.bank_keys.0": "[transport.protection]",
                     "protection.passphrase": 'passphrase = "pgp'}),
        (OAUTH, {"server_ca": "server_ca", "oauth.client_id": "client_id", "oauth.client_secret": "client_secret"}),
    ],
    ids=["sftp", "soap", "protected", "oauth"],
)  # fmt: skip
def test_each_secret_that_is_not_there_is_found(tmp_path: Path, text: str, names: dict[str, str]) -> None:
    """The gateway would start without it, and the first payment would find out."""
    findings = found(tmp_path, text)
    assert sorted((line, words.partition(": ")[0]) for line, words in findings) == sorted(
        (line_of(text, at), f"transport.{name}") for name, at in names.items()
    )


def test_a_secret_that_others_may_read_is_found(tmp_path: Path) -> None:
    """Whoever can read the key can pay."""
    put(tmp_path, bank__hosts=f"files.bank.example {HOST_KEY}", client__key="k", key_passphrase="p")
    (tmp_path / "secrets" / "delta-bank" / "client.key").chmod(0o644)
    [(line, said)] = found(tmp_path, SFTP)
    assert line == line_of(SFTP, "[transport]")
    assert said.startswith("transport.key: ")
    assert "chmod 600" in said


def test_a_secret_that_is_empty_is_found(tmp_path: Path) -> None:
    """An empty passphrase is a file that somebody meant to fill."""
    put(tmp_path, bank__hosts=f"files.bank.example {HOST_KEY}", client__key="k", key_passphrase="\n")
    [(line, said)] = found(tmp_path, SFTP)
    assert (line, "is empty" in said) == (line_of(SFTP, "passphrase ="), True)


@pytest.mark.parametrize(
    ("key", "hosts"),
    [("no key at all", f"files.bank.example {HOST_KEY}"), (KEY.export_private_key().decode(), "nonsense")],
    ids=["key", "known hosts"],
)
def test_what_the_transport_cannot_use_is_found(tmp_path: Path, key: str, hosts: str) -> None:
    """A file of the right name with something else in it helps nobody."""
    text = SFTP.replace('passphrase = "key-passphrase"\n', "")
    put(tmp_path, client__key=KEY.export_private_key().decode(), bank__hosts=f"files.bank.example {HOST_KEY}")
    assert found(tmp_path, text) == []
    put(tmp_path, client__key=key, bank__hosts=hosts)
    [(line, said)] = found(tmp_path, text)
    assert line == line_of(text, "[transport]")
    assert said.startswith("transport: ")


def test_no_secret_is_ever_said(tmp_path: Path) -> None:
    """What the check prints goes into tickets and mails."""
    put(tmp_path, bank__hosts="nonsense", client__key="SECRET-1", key_passphrase="SECRET-2")
    said = found(tmp_path, SFTP)
    assert said, "nothing was found, so nothing was said"
    assert "SECRET" not in str(said)


def test_a_watched_folder_has_its_folders(tmp_path: Path) -> None:
    """A file for a folder that is not there never leaves."""
    text = FOLDER.replace("{root}", str(tmp_path / "share"))
    [(line, said)] = found(tmp_path, text)
    assert (line, said.partition(": ")[0]) == (line_of(text, "root ="), "transport.root")
    (tmp_path / "share").mkdir()
    assert [(line, said.partition(": ")[0]) for line, said in found(tmp_path, text)] == [
        (line_of(text, "outgoing ="), "transport.outgoing"),
        (line_of(text, "outgoing_for"), "transport.outgoing_for.recall"),
        (line_of(text, "incoming"), "transport.incoming"),
    ]
    for name in ("out", "recalls", "in"):
        (tmp_path / "share" / name).mkdir()
    assert found(tmp_path, text) == []


def test_every_broken_profile_is_reported_at_once(tmp_path: Path) -> None:
    """Nobody mends a folder of profiles one start at a time."""
    one, other = tmp_path / "a.toml", tmp_path / "b.toml"
    one.write_text(SFTP.replace("15:00", "25:00"), encoding="utf-8")
    other.write_text(SFTP.replace("KHPP", "KH"), encoding="utf-8")
    assert [finding.file.name for finding in check_profiles([one, other])] == ["a.toml", "b.toml", "b.toml"]


# ---------------------------------------------------------------------------------------------------- ways to the bank

WEB = """
[channel]
inquire_after_s = 60

[transport]
kind = "{kind}"
base_url = "https://bank.example"
server_ca = "bank-ca.crt"
{more}
"""
OWN_WAY = '[transport]\nkind = "bus"\n'
WAYS = {
    "https": ("[transport.paths]\n", "paths", '{} = "POST /messages"\n'),
    "soap": ("[transport.operations]\n", "operations", '{} = {{ name = "deliver" }}\n'),
}


def between_banks(kind: str, *ways: str) -> str:
    """Return a profile of a rail that can be asked back over, whose bank is reached on the web in these ways."""
    head, _, line = WAYS[kind]
    more = 'path = "/services"\nnamespace = "urn:bank:1"' if kind == "soap" else ""
    text = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8").replace(OWN_WAY, "")
    return text + WEB.format(kind=kind, more=more) + head + "".join(line.format(way) for way in ways)


def ways_missing(folder: Path, text: str) -> list[tuple[int, str]]:
    """Return line and words of what is wrong, with no vault looked at."""
    path = folder / "central-bank.toml"
    path.write_text(text, encoding="utf-8")
    return [(finding.line, finding.message) for finding in check_profiles([path])]


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_a_missing_way_to_answer_a_recall_of_the_bank_is_found(tmp_path: Path, kind: str) -> None:
    """Two people would decide on a camt.056, and the camt.029 could not leave."""
    text = between_banks(kind, "submit", "inquire", "recall")
    place = f"transport.{WAYS[kind][1]}"
    [(line, said)] = ways_missing(tmp_path, text)
    assert line == line_of(text, f"[{place}]")
    assert said.startswith(f"{place}.answer: missing, so no answer to a recall of the bank could leave")
    assert ways_missing(tmp_path, between_banks(kind, "submit", "inquire", "answer")) == []


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_a_bank_that_takes_no_answers_needs_no_way(tmp_path: Path, kind: str) -> None:
    """The return is all that it wants, and a refusal is said by other means: the profile says so."""
    text = between_banks(kind, "submit", "inquire").replace("[channel]", "[channel]\nconfirms_recalls = false", 1)
    assert ways_missing(tmp_path, text) == []


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_a_missing_way_to_inquire_is_found_on_every_rail(tmp_path: Path, kind: str) -> None:
    """The profile says that the bank is asked after a minute, and it never would be."""
    text = between_banks(kind, "submit", "answer")
    [(line, said)] = ways_missing(tmp_path, text)
    assert (line, "transport." in said) == (line_of(text, "inquire_after_s"), True)
    assert said.startswith("channel.inquire_after_s: the bank is to be asked, and ")
