"""What changes weights: steps, the loop, checkpoints, learning rates, distribution."""
