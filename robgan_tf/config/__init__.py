"""Settings of a run: plain values that gin binds, checked for type and range."""
