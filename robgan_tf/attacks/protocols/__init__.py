"""Protocols of robustness evaluations: each module is one, and its name is what --attack takes.

Where a name has a dash, its module has an underscore.
"""
