"""What is wrong around a profile that reads well: rail, certificates, ways to the bank, secrets of its transport.

Each function returns where in the profile to look, and what is wrong; ``adapters.profile.check_profiles`` adds file
and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from adapters import transports
from adapters.file_settings import FileSettings, FolderSettings, ProtectionSettings, SftpSettings
from adapters.rails import inquiry_of, rail, recall_answer_of
from adapters.toml import Location
from adapters.transport_settings import TransportSettings, missing
from adapters.web_settings import SoapSettings, WebSettings
from schemas.errors import ConfigurationError
from security.vault import FolderVault

if TYPE_CHECKING:
    from adapters.profile import Profile


def of_rail(profile: Profile) -> Sequence[tuple[Location, str]]:
    """Return what the rail misses in its profile; what it is, the rail's own module knows."""
    name = f"adapters.rails.{profile.rail}"
    if find_spec(name) is None:
        return [(("rail",), f"rail: there is no adapters/rails/{profile.rail}.py")]
    faults: Callable[[Profile], Sequence[tuple[Location, str]]] | None = getattr(import_module(name), "faults", None)
    return [] if faults is None else faults(profile)


def of_ways(profile: Profile) -> Iterator[tuple[Location, str]]:
    """Yield what the gateway is to tell a bank by itself, over a transport that has no way to hand that over.

    A recall of the bank can come wherever its rail reads one; whose answers it does not take, the profile says.
    """
    if find_spec(f"adapters.rails.{profile.rail}") is None:
        return
    made_by, channel = rail(profile.rail), profile.channel
    key = missing(profile.transport, transports.INQUIRE)
    if channel.inquire_after_s is not None and inquiry_of(made_by) is not None and key is not None:
        said = f"channel.inquire_after_s: the bank is to be asked, and {key} is missing"
        yield ("channel", "inquire_after_s"), said
    key = missing(profile.transport, transports.ANSWER)
    if channel.confirms_recalls and recall_answer_of(made_by) is not None and key is not None:
        said = (
            f"{key}: missing, so no answer to a recall of the bank could leave; where it takes none, say "
            "channel.confirms_recalls = false"
        )
        yield ("transport", key.split(".")[1]), said


def of_trust(profile: Profile, certificates: Path) -> Sequence[tuple[Location, str]]:
    """Return what is wrong with the folder that says whose signatures are trusted."""
    folder = certificates / profile.trust_folder
    try:
        kinds = [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
        files = sorted(str(path.relative_to(certificates)) for kind in kinds for path in kind.iterdir())
    except OSError as error:
        return [(("signature",), f"signature.trust: {error.filename}: cannot be read: {error.strerror}")]
    simulated = [name for name in files if Path(name).name.startswith("simulated-")]
    found = [f"a simulation is trusted, remove it: {name}" for name in simulated]
    if not any(Path(name).parent.name in {"anchors", "pinned"} and name.endswith(".pem") for name in files):
        found.append(f"{folder} holds no anchor and no pinned certificate")
    return [(("signature",), f"signature.trust: {said}") for said in found]


def of_transport(profile: Profile, secrets: Path) -> Sequence[tuple[Location, str]]:
    """Return what the transport names and the vault does not hold, or holds in a form that cannot be used.

    Args:
        profile: the relationship.
        secrets: the folder with one folder of secrets a relationship.
    """
    vault = FolderVault(secrets / profile.name)
    found: list[tuple[Location, str]] = []
    for place, name, is_secret in _named(profile.transport):
        try:
            _ = vault.secret(name) if is_secret else vault.file(name)
        except ConfigurationError as error:
            found.append((place, f"{'.'.join(map(str, place))}: {error}"))
    if found or profile.transport.kind == "bus":
        return found
    try:
        transports.connect(profile, vault).close()  # it is not connected yet: this only looks at what it was given
    except ConfigurationError as error:
        return [(("transport",), f"transport: {error}")]
    return _folders(profile.transport) if isinstance(profile.transport, FolderSettings) else []


def _named(transport: TransportSettings) -> Iterator[tuple[Location, str, bool]]:
    """Yield each name that a transport looks up in its vault: where it stands, the name, and whether it is a secret.

    What is no secret is a file: a key, a certificate, a list of known hosts.
    """
    if isinstance(transport, SftpSettings):
        yield ("transport", "known_hosts"), transport.known_hosts, False
        yield ("transport", "key"), transport.key, False
        if transport.passphrase is not None:
            yield ("transport", "passphrase"), transport.passphrase, True
    elif isinstance(transport, WebSettings):
        yield ("transport", "server_ca"), transport.server_ca, False
        if transport.client_certificate is not None:
            yield ("transport", "client_certificate"), transport.client_certificate, False
        if transport.client_key is not None:
            yield ("transport", "client_key"), transport.client_key, False
        if transport.client_key_passphrase is not None:
            yield ("transport", "client_key_passphrase"), transport.client_key_passphrase, True
        yield from _of_identity(transport)
    if isinstance(transport, FileSettings) and transport.protection is not None:
        yield from _of_protection(transport.protection)


def _of_protection(protection: ProtectionSettings) -> Iterator[tuple[Location, str, bool]]:
    """Yield the keys by which files are encrypted and signed."""
    for index, name in enumerate(protection.own_keys):
        yield ("transport", "protection", "own_keys", index), name, False
    for index, name in enumerate(protection.bank_keys):
        yield ("transport", "protection", "bank_keys", index), name, False
    if protection.passphrase is not None:
        yield ("transport", "protection", "passphrase"), protection.passphrase, True


def _of_identity(transport: WebSettings) -> Iterator[tuple[Location, str, bool]]:
    """Yield the secrets by which a bank on the web knows who asks."""
    if transport.hmac is not None:
        yield ("transport", "hmac", "key"), transport.hmac.key, True
    if transport.oauth is not None:
        yield ("transport", "oauth", "client_id"), transport.oauth.client_id, True
        yield ("transport", "oauth", "client_secret"), transport.oauth.client_secret, True
    if isinstance(transport, SoapSettings):
        for element, name in transport.credentials.items():
            yield ("transport", "credentials", element), name, True


def _folders(transport: FolderSettings) -> list[tuple[Location, str]]:
    """Return which folders of a watched folder are not there: nothing would ever leave, or arrive."""
    if not transport.root.is_dir():
        return [(("transport", "root"), f"transport.root: {transport.root} is not a folder of this machine")]
    wanted: list[tuple[Location, str]] = [(("transport", "outgoing"), transport.outgoing)]
    wanted += [(("transport", "outgoing_for", use), name) for use, name in transport.outgoing_for.items()]
    wanted += [(("transport", "incoming"), name) for name in transport.incoming]
    return [
        (place, f"{'.'.join(map(str, place))}: there is no folder {name} in {transport.root}")
        for place, name in wanted
        if not (transport.root / name).is_dir()
    ]
