"""Discriminators of joint training: each module is one, and its name is what gin takes."""
