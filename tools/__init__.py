"""Tools of those who work on this repository; nothing of them is installed."""
