"""``gateway bench rails``: files to and from a commercial bank by SFTP, beside the raw cost of the same work.

A payroll leaves in files of 10,000 for a private OpenSSH server, each with an OpenPGP signature beside it, and the
bank's status reports on it come back, signed as well. The floor is measured in the same run: the same files written as
text, parsed, validated, hashed and uploaded; the same reports parsed, and the same rows updated.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from lxml import etree
from pysequoia import CipherSuite, SignatureMode, Tsk, sign

from gateway.app import Gateway
from schemas.iso20022 import xml
from schemas.model.identifiers import instruction_id
from simulators import bench_banks
from simulators.bench_banks import FILE_PAYMENTS, number, order, ready, rows, until, working
from simulators.bench_watch import BenchFailed
from simulators.ssh_server import SshServer
from simulators.stage import Stage

BANK, ACCOUNT = "payroll-bank", "760000000001"
REPORT_PAYMENTS = 1_000
DEFINITION = "pain.001.001.09"
_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"


@dataclass
class Measured:
    """What one part of the benchmark measured: seconds of the wall clock, of its floor, and MB by process."""

    seconds: float
    floor: dict[str, float]
    memory_mb: dict[str, int]
    facts: dict[str, Any]

    def shown(self) -> dict[str, Any]:
        """Return it as the command prints it."""
        floor_s = sum(self.floor.values())
        return {
            **self.facts,
            "seconds": round(self.seconds, 2),
            "floor_s": round(floor_s, 2),
            "floor": {name: round(value, 2) for name, value in self.floor.items()},
            "floor_ratio": round(floor_s / self.seconds, 3),
            "peak_memory_mb": max(self.memory_mb.values()),
            "memory_mb": self.memory_mb,
        }


def measure(home: Path, database_url: str, server: SshServer, payments: int) -> tuple[Measured, Measured]:
    """Send a payroll and take the reports on it; return what each took."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    server.authorise(key.export_public_key().decode())
    server.make("out", "in")
    transport = (
        f'kind = "sftp"\nhost = "127.0.0.1"\nport = {server.port}\nuser = "{server.user}"\noutgoing = "out"\n'
        'incoming = ["in"]\nstable_s = 0.0\nafter_read = "delete"\n[transport.protection]\nform = "detached"\n'
    )
    text = bench_banks.profile(BANK, ACCOUNT, transport, transactions_max=FILE_PAYMENTS)
    own, bank = (Tsk.generate(f"{who} <{who}@example>", cipher_suite=CipherSuite.Cv25519) for who in ("own", "bank"))
    vault = {
        "client.key": key.export_private_key(), "bank.hosts": server.known_host().encode(),
        "own.pgp": str(own).encode(), "bank.asc": bytes(bank.extract_certificate()),
    }  # fmt: skip
    made = bench_banks.country(home, database_url, [text], {BANK: vault})
    gateway = bench_banks.opened(made)
    try:
        order(gateway, made, [ACCOUNT], payments)
        ready(gateway, payments)
        sent = _send(gateway, made, server, payments, key)
        return sent, _hear(gateway, made, server, bank)
    finally:
        gateway.close()


# ---------------------------------------------------------------------------------------------------- files out


def _send(gateway: Gateway, made: Stage, server: SshServer, payments: int, key: asyncssh.SSHKey) -> Measured:
    """Let the payroll leave, from accepted and released to uploaded and marked."""
    files = -(-payments // FILE_PAYMENTS)
    started_s = time.perf_counter()
    with working(made, "dispatch", "relay") as memory:
        until(lambda: number(gateway, "SELECT COUNT(*) FROM message WHERE sent_ms IS NOT NULL"), files, "files sent")
        seconds = time.perf_counter() - started_s
    found = [path.read_bytes() for path in sorted((server.home / "out").glob("*.xml"))]
    carried = sum(content.count(b"<CdtTrfTxInf>") for content in found)
    if (len(found), carried) != (files, payments):
        raise BenchFailed(f"{carried} payments in {len(found)} files at the bank, not {payments} in {files}")
    floor = {"write and validate": _written(payments), "upload": asyncio.run(_uploaded(server, key, found))}
    facts = {"payments": payments, "files": files, "megabytes": sum(map(len, found)) >> 20}
    return Measured(seconds, floor, memory.peak_mb, facts)


def _written(payments: int) -> float:
    """Return the seconds that such files take as plain text, parsed, validated, serialised and hashed."""
    started_s = time.perf_counter()
    for first in range(0, payments, FILE_PAYMENTS):
        count = min(FILE_PAYMENTS, payments - first)
        root = etree.fromstring(_file(first, count).encode())
        xml.validate(root, DEFINITION)
        hashlib.sha256(etree.tostring(root, encoding="UTF-8", xml_declaration=True)).hexdigest()
    return time.perf_counter() - started_s


def _file(first: int, count: int) -> str:
    """Return a pain.001 as plain text."""
    head = f"<NbOfTxs>{count}</NbOfTxs><CtrlSum>{count * 600_000}.00</CtrlSum>"
    lines = "".join(
        f"<CdtTrfTxInf><PmtId><InstrId>TG{n:012d}</InstrId><EndToEndId>SAL-20261130-{n:07d}</EndToEndId>"
        f'<UETR>0b0f0c3e-0000-4000-8000-{n:012d}</UETR></PmtId><Amt><InstdAmt Ccy="KHR">600000.00</InstdAmt></Amt>'
        "<CdtrAgt><FinInstnId><BICFI>ACLBKHPP</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>Sok Dara</Nm><PstlAdr>"
        "<TwnNm>Kep</TwnNm><Ctry>KH</Ctry></PstlAdr></Cdtr><CdtrAcct><Id><Othr><Id>5000000010</Id></Othr></Id></CdtrAcct>"
        "<Purp><Cd>SALA</Cd></Purp><RmtInf><Ustrd>Salary November 2026</Ustrd></RmtInf></CdtTrfTxInf>"
        for n in range(first + 1, first + count + 1)
    )
    return (
        f'<Document xmlns="{_NAMESPACE}{DEFINITION}"><CstmrCdtTrfInitn><GrpHdr><MsgId>FLOOR-{first}</MsgId>'
        f"<CreDtTm>2026-11-30T09:00:00+07:00</CreDtTm>{head}<InitgPty><Nm>Treasury</Nm></InitgPty></GrpHdr><PmtInf>"
        f"<PmtInfId>FLOOR-{first}-1</PmtInfId><PmtMtd>TRF</PmtMtd>{head}<ReqdExctnDt><Dt>2026-11-30</Dt></ReqdExctnDt>"
        "<Dbtr><Nm>Treasury</Nm><PstlAdr><TwnNm>Phnom Penh</TwnNm><Ctry>KH</Ctry></PstlAdr></Dbtr><DbtrAcct><Id><Othr>"
        f"<Id>{ACCOUNT}</Id></Othr></Id></DbtrAcct><DbtrAgt><FinInstnId><BICFI>ACLBKHPP</BICFI></FinInstnId></DbtrAgt>"
        f"<ChrgBr>SLEV</ChrgBr>{lines}</PmtInf></CstmrCdtTrfInitn></Document>"
    )


async def _uploaded(server: SshServer, key: asyncssh.SSHKey, contents: Sequence[bytes]) -> float:
    """Return the seconds that the same bytes take over one SFTP connection."""
    server.make("floor")
    started_s = time.perf_counter()
    async with (
        asyncssh.connect("127.0.0.1", server.port, username=server.user, client_keys=[key], known_hosts=None) as link,
        link.start_sftp_client() as client,
    ):
        for position, content in enumerate(contents):
            async with client.open(f"floor/{position}", "wb") as file:
                await file.write(content)
    return time.perf_counter() - started_s


# ---------------------------------------------------------------------------------------------------- reports in


def _hear(gateway: Gateway, made: Stage, server: SshServer, bank: Tsk) -> Measured:
    """Let reports on every payment arrive, from lying in the bank's folder to applied and let go."""
    reports = _reports(gateway)
    for position, content in enumerate(reports):
        path = server.home / "in" / f"STS-{position:05d}.xml"
        path.write_bytes(content)
        Path(f"{path}.sig").write_bytes(sign(bank.signer(), content, mode=SignatureMode.DETACHED, armor=False))
    payments = number(gateway, "SELECT COUNT(*) FROM payment")
    applied = "SELECT COUNT(*) FROM document WHERE state = 'APPLIED'"
    started_s = time.perf_counter()
    with working(made, "inbound") as memory:
        until(lambda: number(gateway, applied), len(reports), "reports applied")
        seconds = time.perf_counter() - started_s
    states = {str(row[0]): row[1] for row in rows(gateway, "SELECT state, COUNT(*) FROM payment GROUP BY state")}
    if states != {"SETTLED": payments}:
        raise BenchFailed(f"after the reports every payment should be settled: {states}")
    facts = {"reports": len(reports), "transactions": payments}
    return Measured(seconds, _reports_floor(gateway, reports), memory.peak_mb, facts)


def _reports(gateway: Gateway) -> list[bytes]:
    """Return reports of 1,000 settled transactions each, written as the bank writes them, on every payment."""
    found = rows(
        gateway,
        "SELECT message.message_id, payment.id, payment.end_to_end_id FROM payment"
        " JOIN message ON message.id = payment.message ORDER BY payment.message, payment.id",
    )
    reports = []
    for first in range(0, len(found), REPORT_PAYMENTS):
        part = found[first : first + REPORT_PAYMENTS]
        lines = "".join(
            f"<TxInfAndSts><OrgnlInstrId>{instruction_id(int(str(payment)))}</OrgnlInstrId>"
            f"<OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts>"
            for _, payment, reference in part
        )
        message = part[0][0]
        reports.append(
            f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{_NAMESPACE}pain.002.001.10"><CstmrPmtStsRpt>'
            f"<GrpHdr><MsgId>STS-{first}</MsgId><CreDtTm>2026-11-30T10:00:00+07:00</CreDtTm></GrpHdr>"
            f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId><OrgnlMsgNmId>{DEFINITION}</OrgnlMsgNmId>"
            f"</OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>{message}-0001</OrgnlPmtInfId>{lines}"
            "</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>".encode()
        )
    return reports


def _reports_floor(gateway: Gateway, reports: Sequence[bytes]) -> dict[str, float]:
    """Return the seconds of parsing the same reports, and of updating the same rows report by report."""
    started_s = time.perf_counter()
    numbers = []
    for content in reports:
        root = etree.fromstring(content)
        numbers.append([int(str(e.text)[2:]) for e in root.iter(f"{{{_NAMESPACE}pain.002.001.10}}OrgnlInstrId")])
    parsed_s = time.perf_counter()
    for group in numbers:
        with gateway.store.transaction() as db:
            db.pick((one,) for one in group)
            db.connection.execute(
                "UPDATE payment SET version = version + 1, changed_ms = changed_ms FROM pick WHERE payment.id = pick.id"
            )
    return {"parse": parsed_s - started_s, "update": time.perf_counter() - parsed_s}
