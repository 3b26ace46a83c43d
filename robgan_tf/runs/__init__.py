"""A run in a directory: loop, checkpoints, stopping. It knows no GAN."""
