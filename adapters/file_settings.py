"""How files travel to a bank and back, from the ``[transport]`` table of its profile: a watched folder, or SFTP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from adapters.fields import KeyId, Listed, MistakeAt, Table, Text

GIBIBYTE = 1 << 30


def _folder(value: str) -> str:
    """Check the path of a folder below the root: plain names, and no way up."""
    if value.startswith("/") or any(part in {"", ".", ".."} for part in value.split("/")) or not value.isprintable():
        raise ValueError(f"{value!r} is not a path below the root, such as out/payments")
    return value


def _absolute(value: object) -> object:
    """Read an absolute path of this machine: where a process was started decides nothing."""
    if isinstance(value, str) and value.startswith("/"):
        return Path(value)
    if isinstance(value, Path) and value.is_absolute():
        return value
    raise ValueError(f"{value!r} is not an absolute path")


SLOW_STEPS = 5
"""Steps of one upload that may take all of their time; where more do, another process may call it a doubt meanwhile."""
FolderPath = Annotated[str, AfterValidator(_folder)]
"""A folder below the root of a transport."""
AbsolutePath = Annotated[Path, BeforeValidator(_absolute)]
Suffix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,20}$")]


class ProtectionSettings(Table):
    """How files are protected on their way (``[transport.protection]``), by OpenPGP keys of the vault.

    Attributes:
        form: ``encrypted``: to the bank's key, with our signature inside; ``detached``: in the clear, with a signature
            beside each file. It holds in both directions: nothing that is not signed by the bank is read.
        own_keys: files with our private keys: the first signs, all decrypt.
        bank_keys: files with the bank's public keys: we encrypt to the first, the signatures of all count.
        passphrase: secret that opens our keys; None: they are not encrypted.
        suffix: behind the name of an encrypted file, or of a signature; left out: ``.pgp``, or ``.sig``.
        signature_within_s: how long a file waits for its signature, and a signature for its file, before a person is
            told.
    """

    form: Literal["encrypted", "detached"]
    own_keys: Annotated[Listed[tuple[KeyId, ...]], Field(min_length=1)] = ("own.pgp",)
    bank_keys: Annotated[Listed[tuple[KeyId, ...]], Field(min_length=1)] = ("bank.asc",)
    passphrase: KeyId | None = None
    suffix: Suffix | None = None
    signature_within_s: float = Field(default=600.0, ge=0, le=86_400)

    @property
    def ending(self) -> str:
        """What stands behind a name."""
        return self.suffix if self.suffix is not None else {"encrypted": ".pgp", "detached": ".sig"}[self.form]

    @model_validator(mode="after")
    def a_signature_has_a_name_of_its_own(self) -> Self:
        """It lies beside its file, so it cannot have its name."""
        if self.form == "detached" and not self.ending:
            raise MistakeAt(("transport", "protection", "suffix"), "a signature beside a file needs an ending")
        return self


class FileSettings(Table):
    """What a watched folder and SFTP have in common: where files go, where they come from, and when they are complete.

    Attributes:
        outgoing: the folder that takes our files.
        outgoing_for: other folders for inquiries, recalls and what is given back; left out: the same one.
        incoming: the folders in which the bank leaves files.
        after_read: what becomes of a file that was kept by us: moved to ``archive``, or deleted.
        archive: a folder inside of each incoming one, made when it is absent.
        name_suffix: put behind the name of each outgoing file, where the rail's names have no ending of their own.
        names: which incoming files are ours, as patterns such as ``*.xml``; names with a dot in front never are.
        unfinished: names of files that somebody still writes.
        marker_suffix: ``.done``: a file is complete when one of its name and this ending lies beside it.
        stable_s: without markers, a file is complete when size and time have not changed for so long.
        listing_max: names that are looked at in one folder; the others wait.
        file_bytes_max: a larger file is not read, is reported, and stays with the bank in ``archive``.
        duplicate_names_refused: the bank itself refuses a name that it has had before, also when it has taken the file
            away: only then may the same file be sent again without harm.
        protection: encryption and signatures; None: the files travel as they are.
    """

    outgoing: FolderPath
    outgoing_for: Mapping[Literal["inquire", "recall", "give_back", "answer"], FolderPath] = Field(default_factory=dict)
    incoming: Listed[tuple[FolderPath, ...]] = ()
    after_read: Literal["archive", "delete"] = "archive"
    archive: FolderPath = "archive"
    name_suffix: Suffix = ""
    names: Annotated[Listed[tuple[Text, ...]], Field(min_length=1)] = ("*",)
    unfinished: Listed[tuple[Text, ...]] = ("*.part", "*.tmp", "*.filepart")
    marker_suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,20}$")] | None = None
    stable_s: float = Field(default=10.0, ge=0, le=86_400)
    listing_max: int = Field(default=10_000, ge=1, le=1_000_000)
    file_bytes_max: int = Field(default=4 * GIBIBYTE, ge=1)
    duplicate_names_refused: bool = False
    protection: ProtectionSettings | None = None

    @model_validator(mode="after")
    def an_ending_is_added_once(self) -> Self:
        """Two endings, one of them by the protection: nobody would know which stands last."""
        if self.protection is not None and self.name_suffix:
            raise MistakeAt(("transport", "name_suffix"), "protection adds an ending of its own; leave this one out")
        return self

    @property
    def idempotent(self) -> bool:
        """Only a bank that refuses a name which it has had before recognises a file that comes twice."""
        return self.duplicate_names_refused

    @property
    def handover_s(self) -> float:
        """A folder is at hand: what takes long there is the machine's own."""
        return 0.0

    @model_validator(mode="after")
    def what_goes_out_does_not_come_in(self) -> Self:
        """A folder that is read and written would hand our own files back to us."""
        for folder in (self.outgoing, *self.outgoing_for.values()):
            if folder in self.incoming:
                raise MistakeAt(("transport", "incoming"), f"{folder!r} is a folder for outgoing files as well")
        return self


class FolderSettings(FileSettings):
    """A folder that the bank's own software, or a mounted share, carries files to and from.

    Attributes:
        root: absolute path; the other folders lie below it. It may be a link; nothing below it is followed if it is.
    """

    kind: Literal["folder"]
    root: AbsolutePath


class SftpSettings(FileSettings):
    """A bank's SFTP server (SSH File Transfer Protocol, version 3).

    Attributes:
        host, port, user: where, and as whom. By key only: no password, no agent, no settings of the machine's own ssh.
        known_hosts: file of the vault with the bank's host keys, as ``ssh-keyscan`` writes it, compared with what the
            bank has given on paper; a server with any other key is not spoken to.
        key: file of the vault with our private key, in OpenSSH's or PKCS#8 form.
        passphrase: secret of the vault that opens it; None: it is not encrypted.
        root: folder at the bank's side below which the others lie; left out: where the server puts us.
        connect_within_s: connecting, host key and authentication together.
        answer_within_s: each single step: a name looked at, a piece of a file read or written.
        keep_alive_s: an idle connection is asked for a sign of life so often; three without one, and it is closed.
    """

    kind: Literal["sftp"]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]
    port: int = Field(default=22, ge=1, le=65_535)
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@\\-]{0,63}$")]
    known_hosts: KeyId = "bank.hosts"
    key: KeyId = "client.key"
    passphrase: KeyId | None = None
    root: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{0,200}$")] = ""
    connect_within_s: float = Field(default=20.0, gt=0, le=300)
    answer_within_s: float = Field(default=60.0, gt=0, le=600)
    keep_alive_s: float = Field(default=30.0, gt=0, le=3_600)

    @property
    def handover_s(self) -> float:
        """A connection, and the steps of an upload, some of them at their slowest."""
        return self.connect_within_s + SLOW_STEPS * self.answer_within_s
