"""What people ask the gateway to do: one file a subject, used by the command line.

Each function takes an ``Operator`` (who, where, when) and what is asked, does it in one transaction with its link in
the audit trail, and returns what happened as a value. What may not be done is an ``OperationRefused`` that says why.
"""
