"""What a training step asks of a machine, counted in its graph, and what follows for others."""
