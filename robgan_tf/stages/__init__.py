"""The two stages of training, from settings to summary."""
