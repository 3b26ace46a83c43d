"""Image quality on the features of any extractor."""
