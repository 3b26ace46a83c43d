"""The training step in PyTorch, on the same networks and weights: a peer for the benchmark.

Imports nothing of this project: it runs in an environment of its own.
"""
