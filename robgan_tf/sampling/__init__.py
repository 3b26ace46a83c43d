"""Images of a trained generator for people to look at and for others to use."""
