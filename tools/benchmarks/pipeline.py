"""Images from record files: how many a core gives, and whether memory grows over an epoch."""

import itertools
import statistics
import time
from collections.abc import Mapping

import psutil

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import load_image_data
from robgan_tf.stages.joint import joint_batches
from robgan_tf.typing import JsonObject

# Images/s that a step on one H200 reads at the published batch, as docs/results/scaling calculates.
NEEDED = {64: 1231, 128: 1121}
_STEPS = 4  # in a timing


def measure(gin_files: Mapping[int, str], data_dir: str, rounds: int) -> JsonObject:
    """Measures batches as training gets them, without a model.

    Args:
      gin_files: by resolution.
      data_dir: where the data sets of the files are prepared.
      rounds: timings of each.

    Returns:
      By resolution, images/s for a core and second of its time (the median and the range), how
      many cores feed one H200, seconds to open the data, and resident MB after the first tenth of
      an epoch and after a whole one.
    """
    return {
        f"{size}_px": _measured(size, file, data_dir, rounds) for size, file in gin_files.items()
    }


def _measured(size: int, gin_file: str, data_dir: str, rounds: int) -> JsonObject:
    config = read_config(JointConfig, [gin_file], ["data.validation_examples=0"])
    began = time.monotonic()
    data = load_image_data(**config.data.loading(data_dir))
    opened = time.monotonic() - began
    batches = iter(joint_batches(config, data.train))
    of_step = config.train.batch_size * config.train.discriminator_updates

    def run(steps: int) -> float:
        """Images for each second of processor time."""
        began = time.process_time()
        for batch in itertools.islice(batches, steps):
            batch["images"].numpy()
        return steps * of_step / (time.process_time() - began)

    # The first traces, and fills what is prepared ahead.
    run(_STEPS)
    rates = [run(_STEPS) for _ in range(rounds)]
    epoch = -(-len(data.train) // of_step)
    run(max(1, epoch // 10))
    before = psutil.Process().memory_info().rss
    run(epoch)
    rate = statistics.median(rates)
    return {
        "images": len(data.train),
        "images_per_core_second": rate,
        "range": [min(rates), max(rates)],
        "cores_for_one_H200": NEEDED[size] / rate,
        "seconds_to_open": opened,
        "resident_MB": [before / 1e6, psutil.Process().memory_info().rss / 1e6],
    }
