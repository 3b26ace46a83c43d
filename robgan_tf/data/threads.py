"""The threads that decode images."""

import concurrent.futures
import functools
import os


@functools.cache
def decoders() -> concurrent.futures.ThreadPoolExecutor:
    """The threads that decode images, shared by all sources. PIL decodes without the GIL."""
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "decode")
