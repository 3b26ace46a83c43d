"""Training steps in PyTorch, on the same networks and weights: peers for the benchmark.

Imports nothing of this project: it runs in an environment of its own.
"""
