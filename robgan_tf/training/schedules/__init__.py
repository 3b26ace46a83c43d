"""Schedules of learning rates; a file's name is what gin takes."""
