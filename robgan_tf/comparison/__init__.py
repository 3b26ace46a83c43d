"""How runs converge, compared."""
