"""The version of the arithmetic that a run is made with, which its config.json names.

It counts up whenever equal settings give other numbers than before, by more than rounding, which
other machines and threads change too. What each version changed is in
docs/reference/published.md. A run that is continued keeps the version it began with, and
`compare` takes no two runs of different versions for seeds of one configuration.
"""

KEY = "numerics"
VERSION = 2
# Of runs that were made before a version was named.
FIRST = 1
