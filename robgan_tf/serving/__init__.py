"""Export for TensorFlow Serving: signatures, version directories, model cards, a client."""
