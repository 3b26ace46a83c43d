"""Accuracy on prepared sets of corrupted images."""
