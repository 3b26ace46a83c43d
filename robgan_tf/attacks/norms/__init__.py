"""Norms of an attack's ball: each module is one, and its name is what gin takes."""
