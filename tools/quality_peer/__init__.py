"""EfficientNet-Lite0 and PNG files for the comparison of `evaluate quality` with torch-fidelity."""
