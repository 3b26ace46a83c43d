"""Kinds of data sets: each module opens one."""
