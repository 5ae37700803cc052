"""What things are and look like: the model, the JSON contracts, the ISO 20022 messages and the code sets."""
