"""Where the versions of camt.052, 053 and 054 differ: each field with the places it stands in, newest first.

A field is looked for in each of its places, whatever version the namespace names: banks put a new number over old
content (a plain Sts in a camt.054.001.10). So this table is all there is to a version. What it does not list stands in
the same place from .02 to .13.

    since    what changed (of two numbers, the message decides which)
    .03, .04 the statement has pages (StmtPgntn); Chrgs is a total with records (Rcrd), before it was repeated itself;
             the net total is a TtlNetNtry with an indicator inside; TxDtls has an Amt and an indicator of its own
    .07, .08 Sts is a choice of Cd and Prtry, before it was the code itself; parties are a choice of Pty and Agt,
             before the party stood there itself; UETR
    .09, .10 an account may go without an Id
    .11-.13  a rate may have a base
"""

from __future__ import annotations

STATUS = ("Sts/Cd", "Sts", "Sts/Prtry")
BOOKING_DATE = ("BookgDt/Dt", "BookgDt/DtTm")
VALUE_DATE = ("ValDt/Dt", "ValDt/DtTm")
BALANCE_TYPE = ("Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Cd")
BALANCE_DATE = ("Dt/Dt", "Dt/DtTm")

NAME = ("Pty/Nm", "Nm", "Agt/FinInstnId/Nm")
"""A party's name, inside the party."""
DEBTOR_NAME = ("RltdPties/Dbtr/Pty/Nm", "RltdPties/Dbtr/Nm", "RltdPties/Dbtr/Agt/FinInstnId/Nm")
CREDITOR_NAME = ("RltdPties/Cdtr/Pty/Nm", "RltdPties/Cdtr/Nm", "RltdPties/Cdtr/Agt/FinInstnId/Nm")
DEBTOR_ACCOUNT = ("RltdPties/DbtrAcct/Id/Othr/Id", "RltdPties/DbtrAcct/Id/IBAN")
CREDITOR_ACCOUNT = ("RltdPties/CdtrAcct/Id/Othr/Id", "RltdPties/CdtrAcct/Id/IBAN")
DEBTOR_AGENT = ("RltdAgts/DbtrAgt/FinInstnId/BICFI", "RltdAgts/DbtrAgt/FinInstnId/BIC")
CREDITOR_AGENT = ("RltdAgts/CdtrAgt/FinInstnId/BICFI", "RltdAgts/CdtrAgt/FinInstnId/BIC")

ENTRY_CODE = ("BkTxCd/Domn/Cd", "BkTxCd/Domn/Fmly/Cd", "BkTxCd/Domn/Fmly/SubFmlyCd", "BkTxCd/Prtry/Cd")
RETURNED_CODE = (
    "OrgnlBkTxCd/Domn/Cd",
    "OrgnlBkTxCd/Domn/Fmly/Cd",
    "OrgnlBkTxCd/Domn/Fmly/SubFmlyCd",
    "OrgnlBkTxCd/Prtry/Cd",
)
CODE = ("Domn/Cd", "Domn/Fmly/Cd", "Domn/Fmly/SubFmlyCd", "Prtry/Cd")
"""A bank transaction code of an entry, of a return, and inside a BkTxCd: domain, family, sub-family; the bank's own."""

NET_TOTAL = (
    ("TxsSummry/TtlNtries/TtlNetNtry/Amt", "TxsSummry/TtlNtries/TtlNetNtry/CdtDbtInd"),
    ("TxsSummry/TtlNtries/TtlNetNtryAmt", "TxsSummry/TtlNtries/CdtDbtInd"),
)
"""The sum of a statement's entries, and its indicator."""

CHARGE_AMOUNT = ("Amt", "TtlChrgsAndTaxAmt")
"""What a record, or a Chrgs without one, has charged: the charge itself, else the total."""
