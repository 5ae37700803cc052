"""Statements as tables, CSV and XLSX: for banks that have nothing better. A layout says what stands in which column."""
