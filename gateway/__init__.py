"""What happens to a payment and to a statement."""
