"""What an auditor is handed: the bank reconciliation statement of an account, and the position of all accounts.

``reconciliation.py`` and ``position.py`` ask the database and return frozen dataclasses (``figures.py``); ``papers.py``
lays those out as titles, sections and rows (``paper.py``), which ``workbook.py`` and ``document.py`` write as XLSX and
PDF. Nothing here changes anything, and nothing that renders asks the database.
"""
