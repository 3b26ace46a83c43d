"""Classifiers of other frameworks, as functions that attacks written in TensorFlow can follow."""
