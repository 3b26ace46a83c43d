"""The command line: how commands start and end, and the flags they share."""
