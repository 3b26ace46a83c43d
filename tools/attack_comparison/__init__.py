"""What tools.compare_attacks is made of."""
