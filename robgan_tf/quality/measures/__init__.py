"""Measures of image quality: each module holds one."""
