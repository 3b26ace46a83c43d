"""What `tools/accelerator_check.py` measures, and how."""
