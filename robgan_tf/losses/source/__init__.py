"""Losses of the source head: each module is one, and its name is what gin takes."""
