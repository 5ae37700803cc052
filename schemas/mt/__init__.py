"""SWIFT MT statements: MT940 and MT950, MT942, MT900 and MT910, read into the same model as camt messages."""
