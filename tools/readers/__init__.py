"""Image files as three readers see them: training, evaluation, and an exported model."""
