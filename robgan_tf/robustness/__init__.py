"""Accuracy under attack, and whether it can be believed."""
