"""Cases of the payment rules: for each rule a payment that keeps it and one that breaks it.

Every case changes one thing of a good payment (``PAYMENT``) or of what it is checked against (``CONTEXT``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Any

from gateway.core.calendar import BusinessCalendar
from gateway.core.checks import Context, CurrencyRules, RailRules, Seen, SourceRules
from schemas.model.money import Money
from schemas.model.payment import (
    Account,
    Address,
    Agent,
    Charge,
    Covered,
    Party,
    Payment,
    RegulatoryReport,
    Remittance,
)

MONDAY = date(2026, 11, 30)
OUR_ACCOUNT = "000100200300"
UETR = "8a562c67-ca16-48ba-b074-65581be6f001"
BRANCH = Address(country="KH", town="Phnom Penh")

PAYMENT = Payment(
    payment_id=42,
    source="fmis",
    order_id="PO-2026-000042",
    maker="sok.dara",
    instruction_id="TG000000000042",
    end_to_end_id="PO-2026-000042",
    uetr=UETR,
    amount=Money(125_000_000, "KHR"),
    execution_date=MONDAY,
    charge_bearer="SLEV",
    debtor=Party("Ministry of Economy and Finance", Address("KH", "Phnom Penh", "Street 92")),
    debtor_account=Account(OUR_ACCOUNT),
    debtor_agent=Agent("NCAMKHPP"),
    creditor=Party("ក្រុមហ៊ុន អង្គរ", Address("KH", "Siem Reap", "Sivutha Boulevard", "12", "171202")),
    creditor_account=Account("001234567890"),
    creditor_agent=Agent("ABAAKHPP"),
    purpose="SUPP",
    category_purpose="SUPP",
    remittance=Remittance(("Invoice 17 of 2026",)),
)
RAIL = RailRules(
    name="high-value",
    currencies={
        "KHR": CurrencyRules(decimals=0, limit_minor=10**13, cut_off=time(15, 30), after_cut_off="refuse"),
        "USD": CurrencyRules(decimals=2, cut_off=time(15, 30)),
    },
    directory=frozenset({"NCAMKHPP", "ABAAKHPP", "ACLBKHPP"}),
    account_patterns={"ACLBKHPP": re.compile(r"[0-9]{15}")},
    days_ahead_max=30,
)
CONTEXT = Context(
    rail=RAIL,
    source=SourceRules("fmis", frozenset({OUR_ACCOUNT})),
    today=MONDAY,
    now_local=time(9, 0),
    calendar=BusinessCalendar(frozenset({date(2026, 12, 29)})),
)


def put(thing: Any, path: str, value: object) -> Any:
    """Return a copy of nested dataclasses with one field changed: ``put(payment, "creditor.address.town", None)``."""
    name, _, rest = path.partition(".")
    return replace(thing, **{name: put(getattr(thing, name), rest, value) if rest else value})


@dataclass(frozen=True)
class Case:
    """One payment for one rule.

    Attributes:
        change: paths of the payment -> new values.
        context: paths of the context -> new values.
        refused: (code, path) of each refusal of this rule, empty where the payment keeps it.
    """

    rule: int
    what: str
    change: Mapping[str, object] = field(default_factory=dict)
    context: Mapping[str, object] = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()

    def payment(self) -> Payment:
        """Return the payment of this case."""
        payment = PAYMENT
        for path, value in self.change.items():
            payment = put(payment, path, value)
        return payment

    def checked_against(self) -> Context:
        """Return the context of this case."""
        context = replace(CONTEXT, seen=Seen())
        for path, value in self.context.items():
            context = put(context, path, value)
        return context


def _break(rule: int, what: str, code: str, path: str, change: Mapping[str, object], **context: object) -> Case:
    return Case(
        rule, what, change, {name.replace("__", "."): value for name, value in context.items()}, ((code, path),)
    )


def _keep(rule: int, what: str, change: Mapping[str, object] | None = None, **context: object) -> Case:
    return Case(rule, what, change or {}, {name.replace("__", "."): value for name, value in context.items()})


_LEI = "5493001KJTIIGC8Y1R12"
_MEMBER = Agent(clearing_system="KH", member_id="0012", name="ABA", address=BRANCH)
_HYBRID = Address("KH", "Phnom Penh", lines=("Building 5, floor 3", "behind the market"))
_COVERED = Covered(
    Party("Ministry of Tourism", BRANCH), Account("1"), Agent("NCAMKHPP"),
    Party("United Nations", Address("CH", "Geneva")), Account("2"), Agent("UBSWCHZH80A"), Money(100, "EUR"),
)  # fmt: skip
_INSTITUTION = {"kind": "institution", "creditor": Party(any_bic="ABAAKHPP")}
_COVER = {**_INSTITUTION, "covers": _COVERED}
_EURO = {"amount": Money(108_31, "USD"), "instructed_amount": Money(100_00, "EUR"), "exchange_rate": "1.0831"}
_X_NAMES = {"creditor.name": "Angkor Co., Ltd."}

CASES: list[Case] = [
    _keep(13, "used before for another account", seen__end_to_end_ids={("000999", "PO-2026-000042")}),
    _keep(13, "not provided", {"end_to_end_id": "NOTPROVIDED"}, seen__end_to_end_ids={(OUR_ACCOUNT, "NOTPROVIDED")}),
    _break(13, "used before", "DU04", "end_to_end_id", {}, seen__end_to_end_ids={(OUR_ACCOUNT, "PO-2026-000042")}),
    _keep(14, "new"),
    _break(14, "used before", "DU05", "instruction_id", {}, seen__instruction_ids={"TG000000000042"}),
    _keep(15, "a slash inside", {"end_to_end_id": "PO/2026/42"}),
    _break(15, "a slash in front", "FF08", "end_to_end_id", {"end_to_end_id": "/PO42"}),
    _break(15, "a slash at the end", "FF08", "end_to_end_id", {"end_to_end_id": "PO42/"}),
    _break(15, "two slashes", "CH16", "instruction_id", {"instruction_id": "TG//42"}),
    _keep(16, "version 4"),
    _break(16, "version 1", "CH16", "uetr", {"uetr": "8a562c67-ca16-18ba-b074-65581be6f001"}),
    _break(16, "upper case", "CH16", "uetr", {"uetr": UETR.upper()}),
    _break(16, "used before", "DU03", "uetr", {}, seen__uetrs={UETR}),
    _keep(19, "the least amount", {"amount": Money(1, "USD")}),
    _break(19, "zero", "AM01", "amount", {"amount": Money(0, "KHR")}),
    _break(19, "negative", "AM01", "amount", {"amount": Money(-5, "KHR")}),
    _keep(20, "whole riel", {"amount": Money(100, "KHR")}),
    _keep(20, "cents", {"amount": Money(101, "USD")}),
    _break(20, "half a riel", "CH20", "amount", {"amount": Money(150, "KHR")}),
    _keep(21, "dollar", {"amount": Money(100, "USD")}),
    _break(21, "gold", "AM11", "currency", {"amount": Money(1, "XAU")}),
    _break(21, "unknown", "AM11", "currency", {"amount": Money(1, "KHX")}),
    _break(21, "not of this rail", "AM03", "currency", {"amount": Money(1, "EUR")}),
    _keep(22, "eighteen digits", {"amount": Money(10**18 - 1, "USD")}),
    _break(22, "nineteen digits", "AM12", "amount", {"amount": Money(10**18, "USD")}),
    _keep(23, "nothing instructed"),
    _keep(23, "the same", {"instructed_amount": PAYMENT.amount}),
    _keep(23, "charges stated", {"instructed_amount": Money(125_100_000, "KHR"),
                                 "charges": (Charge(Money(100_000, "KHR"), "NCAMKHPP"),)}),
    _break(23, "no charges stated", "CH21", "charges", {"instructed_amount": Money(125_100_000, "KHR")}),
    _break(23, "between institutions", "CH17", "instructed_amount",
           _INSTITUTION | {"instructed_amount": PAYMENT.amount}),
    _keep(24, "the product", _EURO),
    _keep(24, "rounded down", _EURO | {"exchange_rate": "1.083199"}),
    _keep(24, "to whole riel", {"amount": Money(413_700, "KHR"), "instructed_amount": Money(1_01, "USD"),
                                "exchange_rate": "4096.05"}),
    _keep(24, "less the charges that the creditor bears",
          _EURO | {"charge_bearer": "SHAR", "amount": Money(98_31, "USD"),
                   "charges": (Charge(Money(10_00, "USD"), "NCAMKHPP"),)}),
    _break(24, "no rate", "CH21", "exchange_rate", _EURO | {"exchange_rate": None}),
    _break(24, "a rate alone", "CH17", "exchange_rate", {"exchange_rate": "1.5"}),
    _break(24, "not a rate", "CH16", "exchange_rate", _EURO | {"exchange_rate": "1,0831"}),
    _break(24, "twelve digits", "CH16", "exchange_rate", _EURO | {"exchange_rate": "12.3456789012"}),
    _break(24, "nothing", "CH16", "exchange_rate", _EURO | {"exchange_rate": "0.0"}),
    _break(24, "a cent off", "AM09", "amount", _EURO | {"amount": Money(108_32, "USD")}),
    _keep(25, "not stated"),
    _keep(25, "the payment's", {"debtor_account.currency": "KHR"}),
    _break(25, "said to be in another", "AC10", "debtor_account.currency", {"debtor_account.currency": "USD"}),
    _keep(26, "the limit itself", {"amount": Money(10**13, "KHR")}),
    _keep(26, "no limit", {"amount": Money(10**14, "USD")}),
    _break(26, "above the limit", "AM13", "amount", {"amount": Money(10**13 + 100, "KHR")}),
    _keep(27, "thirty days ahead", {"execution_date": date(2026, 12, 30)}),
    _break(27, "yesterday", "CH04", "execution_date", {"execution_date": date(2026, 11, 29)}),
    _break(27, "thirty-one days ahead", "CH03", "execution_date", {"execution_date": date(2026, 12, 31)}),
    _keep(28, "a Friday", {"execution_date": date(2026, 12, 4)}),
    _break(28, "a Saturday", "DT03", "execution_date", {"execution_date": date(2026, 12, 5)}),
    _break(28, "a holiday", "DT03", "execution_date", {"execution_date": date(2026, 12, 29)}),
    _keep(29, "just before", now_local=time(15, 29, 59)),
    _keep(29, "late for tomorrow", {"execution_date": date(2026, 12, 1)}, now_local=time(18, 0)),
    _keep(29, "late where the rail moves it", {"amount": Money(100, "USD")}, now_local=time(18, 0)),
    _break(29, "late where the rail refuses", "TM01", "execution_date", {}, now_local=time(15, 30)),
    _keep(31, "debtor bears", {"charge_bearer": "DEBT"}),
    _break(31, "unknown", "BE19", "charge_bearer", {"charge_bearer": "OUR"}),
    _break(31, "not of this rail", "BE19", "charge_bearer", {}, rail__charge_bearers=frozenset({"DEBT"})),
    _keep(32, "zero stated", {"charge_bearer": "CRED", "charges": (Charge(Money(0, "KHR"), "NCAMKHPP"),)}),
    _break(32, "nothing stated", "CH21", "charges", {"charge_bearer": "CRED"}),
    _break(32, "between institutions", "CH17", "charges",
           _INSTITUTION | {"charges": (Charge(Money(0, "KHR"), "NCAMKHPP"),)}),
    _keep(32, "no charges between institutions", _INSTITUTION | {"charge_bearer": "CRED"}),
    _keep(33, "any bank of the world", {"creditor_agent.bic": "UBSWCHZH80A"}, rail__directory=None),
    _break(33, "a bank between", "RC05", "intermediary_agents[0].bic", {"intermediary_agents": (Agent("DEUT"),)}),
    _break(33, "in a covered transfer", "RC05", "covers.creditor_agent.bic",
           _COVER | {"covers": replace(_COVERED, creditor_agent=Agent("ubs"))}),
    _keep(33, "a branch of a known bank", {"creditor_agent.bic": "ABAAKHPPXXX"}),
    _keep(33, "a company abroad", {"creditor.any_bic": "SIEBDEMMXXX"}),
    _keep(33, "an ultimate party without a BIC", {"ultimate_debtor": Party("Treasury")}),
    _break(33, "not a BIC", "RC05", "creditor_agent.bic", {"creditor_agent.bic": "ABAA"}),
    _break(33, "no such country", "RC05", "creditor_agent.bic", {"creditor_agent.bic": "ABAAQQPP"}),
    _break(33, "not in the directory", "RC05", "creditor_agent.bic", {"creditor_agent.bic": "CADIKHPP"}),
    _break(33, "a party's", "RC05", "creditor.any_bic", {"creditor.any_bic": "siebdemm"}),
    _break(33, "in a charge", "RC05", "charges[0].agent_bic", {"charges": (Charge(Money(0, "KHR"), "X"),)}),
    _keep(34, "member id, name and address", {"creditor_agent": _MEMBER}),
    _keep(34, "LEI, name and address", {"creditor_agent": Agent(lei=_LEI, name="ABA", address=BRANCH)}),
    _break(34, "nothing", "RC04", "creditor_agent", {"creditor_agent": Agent()}),
    _break(34, "no address", "RC04", "creditor_agent", {"creditor_agent": replace(_MEMBER, address=None)}),
    _keep(34, "an institution", _INSTITUTION),
    _break(34, "an institution by name alone", "RC04", "creditor", {"kind": "institution"}),
    _break(34, "a bank between", "RC11", "intermediary_agents[0]", {"intermediary_agents": (Agent(name="Bank"),)}),
    _break(35, "a bank between", "RC11", "intermediary_agents[0].clearing_system",
           {"intermediary_agents": (replace(_MEMBER, clearing_system=None),)}),
    _keep(35, "with its system", {"creditor_agent": _MEMBER}),
    _break(35, "alone", "RC08", "creditor_agent.clearing_system", {"creditor_agent": Agent(member_id="0012")}),
    _keep(37, "the usual pattern"),
    _keep(37, "an IBAN", {"creditor_account": Account("GB82WEST12345698765432", "IBAN")}),
    _keep(37, "the bank's pattern", {"creditor_agent.bic": "ACLBKHPP", "creditor_account.number": "1" * 15}),
    _break(37, "letters", "AC01", "creditor_account.number", {"creditor_account.number": "00123456789A"}),
    _break(37, "Khmer digits", "AC01", "creditor_account.number", {"creditor_account.number": "០០១២៣៤៥៦៧៨"}),
    _break(37, "too short for that bank", "AC01", "creditor_account.number", {"creditor_agent.bic": "ACLBKHPP"}),
    _break(37, "a wrong IBAN", "AC01", "creditor_account.number",
           {"creditor_account": Account("GB82WEST12345698765431", "IBAN")}),
    _keep(38, "its own"),
    _break(38, "another's", "AC02", "debtor_account.number", {"debtor_account.number": "000999888777"}),
    _keep(39, "the same number at another bank", {"creditor_account.number": OUR_ACCOUNT}),
    _break(39, "the same account", "AG01", "creditor_account.number",
           {"creditor_account.number": OUR_ACCOUNT, "creditor_agent.bic": "NCAMKHPPXXX"}),
    _keep(40, "an LEI", {"creditor.lei": _LEI}),
    _break(40, "wrong check digits", "BE15", "creditor.lei", {"creditor.lei": "5493001KJTIIGC8Y1R13"}),
    _break(40, "of an ultimate party", "BE15", "ultimate_debtor.lei", {"ultimate_debtor": Party("Treasury", lei="5")}),
    _break(40, "of a bank between", "BE15", "intermediary_agents[0].lei",
           {"intermediary_agents": (Agent("DEUTDEFF", lei="5493001KJTIIGC8Y1R13"),)}),
    _break(40, "of a covered transfer", "BE15", "covers.debtor.lei",
           _COVER | {"covers": replace(_COVERED, debtor=Party("Ministry", BRANCH, lei="5"))}),
    _break(41, "in a covered transfer", "BE22", "covers.creditor.name",
           _COVER | {"covers": replace(_COVERED, creditor=Party(None, BRANCH))}),
    _keep(41, "a BIC instead", {"creditor": Party(any_bic="SIEBDEMMXXX")}),
    _keep(41, "an ultimate party with a name", {"ultimate_creditor": Party("Sok Dara")}),
    _break(41, "creditor without", "BE22", "creditor.name", {"creditor": Party()}),
    _break(41, "blanks", "BE22", "creditor.name", {"creditor.name": "  "}),
    _break(41, "debtor without", "BE21", "debtor.name", {"debtor": Party()}),
    _break(41, "ultimate party without", "BE21", "ultimate_debtor.name", {"ultimate_debtor": Party()}),
    _keep(42, "no address", {"creditor": Party(any_bic="SIEBDEMMXXX")}),
    _break(42, "no name", "BE22", "creditor.name", {"creditor": Party(None, BRANCH, "SIEBDEMM")}),
    _break(42, "in a covered transfer", "BE21", "covers.debtor.name",
           _COVER | {"covers": replace(_COVERED, debtor=Party(None, BRANCH, "SIEBDEMM"))}),
    _keep(43, "a BIC where addresses are wanted", {"creditor": Party(any_bic="SIEBDEMM")},
          rail__addresses_required=True),
    _break(43, "none where addresses are wanted", "BE04", "creditor.address", {"creditor.address": None},
           rail__addresses_required=True),
    _break(43, "of a bank between", "RC11", "intermediary_agents[0].address.town",
           {"intermediary_agents": (replace(_MEMBER, address=Address("KH")),)}),
    _keep(43, "no address at all", {"creditor.address": None}),
    _break(43, "no town", "BE04", "creditor.address.town", {"creditor.address.town": None}),
    _break(43, "no country", "BE07", "debtor.address.country", {"debtor.address.country": None}),
    Case(43, "lines alone", {"creditor.address": Address(lines=("Phnom Penh", "Cambodia"))},
         refused=(("BE04", "creditor.address.town"), ("BE04", "creditor.address.country"))),
    _break(43, "of the bank", "RC04", "creditor_agent.address.town",
           {"creditor_agent": replace(_MEMBER, address=Address("KH"))}),
    _keep(44, "two lines", {"creditor.address": _HYBRID}),
    _break(44, "three lines", "BE04", "creditor.address.lines", {"creditor.address.lines": ("a", "b", "c")}),
    _break(44, "a line of 71", "BE07", "debtor.address.lines", {"debtor.address.lines": ("x" * 71,)}),
    _keep(45, "part of a word", {"creditor.address": replace(_HYBRID, building="5", lines=("Building 55",))}),
    _break(45, "the town again", "BE04", "creditor.address.lines[1]",
           {"creditor.address.lines": ("Near the river", "siem reap, Cambodia")}),
    _keep(46, "abroad", {"creditor.address.country": "FR"}),
    _break(46, "unknown", "BE11", "creditor.address.country", {"creditor.address.country": "ZZ"}),
    _break(46, "a debtor's", "BE10", "debtor.address.country", {"debtor.address.country": "kh"}),
    _break(46, "a bank's", "BE09", "creditor_agent.address.country",
           {"creditor_agent": replace(_MEMBER, address=Address("ZZ", "Phnom Penh"))}),
    _break(46, "of a covered transfer", "BE11", "covers.creditor.address.country",
           _COVER | {"covers": replace(_COVERED, creditor=Party("UN", Address("ZZ", "Geneva")))}),
    _break(47, "in a regulatory report", "RR10", "regulatory_reports[0].details[0]",
           _X_NAMES | {"regulatory_reports": (RegulatoryReport(None, None, ("a & b",)),)}, rail__character_set="x"),
    _break(47, "in a covered transfer", "RR10", "covers.debtor.name",
           _X_NAMES | {"kind": "institution", "covers": replace(_COVERED, debtor=Party("ក", BRANCH))},
           rail__character_set="x"),
    _keep(47, "Khmer where UTF-8 is taken"),
    _keep(47, "Latin where X is taken", _X_NAMES, rail__character_set="x"),
    _break(47, "Khmer where X is taken", "RR10", "creditor.name", {}, rail__character_set="x"),
    _break(47, "an umlaut in a reference", "RR10", "end_to_end_id", {"end_to_end_id": "Zürich-1"}),
    _break(47, "an ampersand", "RR10", "remittance.unstructured[0]",
           _X_NAMES | {"remittance.unstructured": ("Rent & water",)}, rail__character_set="x"),
    _keep(48, "Khmer of full length", {"creditor.name": "ក" * 140}),
    _break(48, "zero-width space", "CH16", "creditor.name", {"creditor.name": "Sok\u200bDara"}),
    _break(48, "right-to-left override", "CH16", "creditor.name", {"creditor.name": "Sok \u202eDara"}),
    _break(48, "a line feed", "CH16", "remittance.unstructured[0]", {"remittance.unstructured": ("a\nb",)}),
    _break(48, "an invisible vowel", "CH16", "creditor.name", {"creditor.name": "ក\u17b4"}),
    _break(48, "a Cyrillic letter in a Latin name", "CH16", "creditor.name", {"creditor.name": "S\u043ek Dara"}),
    _break(48, "a full-width letter", "CH16", "creditor.name", {"creditor.name": "\uff33ok Dara"}),
    _break(48, "too long", "CH16", "creditor.name", {"creditor.name": "ក" * 141}),
    _break(48, "in an address line", "CH16", "creditor.address.lines[0]", {"creditor.address.lines": ("a\tb",)}),
    _break(48, "of an ultimate party", "CH16", "ultimate_creditor.name", {"ultimate_creditor": Party("a\x00")}),
    _break(48, "a clearing system too long", "CH16", "creditor_agent.clearing_system",
           {"creditor_agent": replace(_MEMBER, clearing_system="KHKHKH")}),
    _keep(49, "a reference", {"remittance": Remittance(creditor_reference="INV-17")}),
    _keep(49, "nothing", {"remittance": Remittance()}, rail__remittance="structured"),
    _break(49, "both", "RR07", "remittance", {"remittance.creditor_reference": "INV-17"}),
    _break(49, "lines for a reference", "RR07", "remittance.unstructured", {}, rail__remittance="structured"),
    _break(49, "a reference for lines", "RR07", "remittance.creditor_reference",
           {"remittance": Remittance(creditor_reference="INV-17")}, rail__remittance="unstructured"),
    _break(49, "far too long", "RR07", "remittance.creditor_reference",
           {"remittance": Remittance(creditor_reference="x" * 9001)}),
    _break(49, "more lines than the rail takes", "RR07", "remittance.unstructured",
           {"remittance": Remittance(("a", "b"))}, rail__remittance_lines_max=1),
    _break(49, "a reference between institutions", "RR07", "remittance.creditor_reference",
           _INSTITUTION | {"remittance": Remittance(creditor_reference="INV-17")}),
    _keep(50, "RF", {"remittance": Remittance(creditor_reference="RF18539007547034")}),
    _keep(50, "the bank's own", {"remittance": Remittance(creditor_reference="2026-17")}),
    _break(50, "wrong check digits", "RR09", "remittance.creditor_reference",
           {"remittance": Remittance(creditor_reference="RF19539007547034")}),
    _keep(51, "none", {"purpose": None, "category_purpose": None}),
    _keep(51, "salary", {"purpose": "SALA", "category_purpose": "SALA"}),
    _break(51, "unknown purpose", "FF07", "purpose", {"purpose": "XXXX"}),
    _break(51, "unknown category", "FF06", "category_purpose", {"category_purpose": "WAGE"}),
    _keep(53, "none where none is wanted"),
    _keep(53, "a code", {"regulatory_reports": (RegulatoryReport("IMF17", "KH"),)}, rail__regulatory_reporting=True),
    _keep(53, "none between institutions", _INSTITUTION, rail__regulatory_reporting=True),
    _break(53, "none where one is wanted", "RR05", "regulatory_reports", {}, rail__regulatory_reporting=True),
    _break(53, "an empty one", "RR05", "regulatory_reports[0]",
           {"regulatory_reports": (RegulatoryReport(None, "KH"),)}),
    _break(53, "of no country", "RR05", "regulatory_reports[0].country",
           {"regulatory_reports": (RegulatoryReport("1", "ZZ"),)}),
    _break(53, "between institutions", "CH17", "regulatory_reports",
           _INSTITUTION | {"regulatory_reports": (RegulatoryReport("1"),)}),
]  # fmt: skip
