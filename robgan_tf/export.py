"""Exports the models of a run for TensorFlow Serving.

    python -m robgan_tf.export --run_dir=runs/cifar10 --export_dir=exports

writes exports/generator/1, exports/classifier/1, ...: SavedModels with signatures, a model card and
warm-up requests. Existing versions are never touched; the next free one is taken.
--format=onnx writes exports/generator_onnx/1/model.onnx, ... and the cards for other runtimes; it
needs the extra onnx.
"""

from absl import flags

from robgan_tf.cli import data_flag
from robgan_tf.cli import start as command
from robgan_tf.errors import UserError

_RUN_DIR = flags.DEFINE_string("run_dir", None, "The run to export from.")
_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Where <name>/<version>/ are written.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", None, "best, last, or a step that was kept; best where there is one, else last."
)
_WHAT = flags.DEFINE_list(
    "what", None, "Parts: generator, classifier, discriminator; all that the run has by default."
)
_VERSION = flags.DEFINE_integer(
    "version", None, "The version's number; the next free one by default.", lower_bound=1
)
_FORMAT = flags.DEFINE_enum(
    "format",
    "saved_model",
    ["saved_model", "onnx"],
    "saved_model: <name>/<version>/ for TensorFlow Serving; onnx: <name>_onnx/<version>/.",
)


def main():
    """Runs the command; returns its exit status."""
    if not _RUN_DIR.value or not _EXPORT_DIR.value:
        raise UserError("what to export, and where to? give --run_dir and --export_dir")
    # TensorFlow takes seconds to load: a missing flag should not have to wait for it.
    from robgan_tf.data import load_image_data
    from robgan_tf.serving.export_run import export_parts
    from robgan_tf.serving.onnx_export import check_converter
    from robgan_tf.stages.finished import best_or_last, open_run

    if _FORMAT.value == "onnx":
        check_converter()
    run = open_run(_RUN_DIR.value, _CHECKPOINT.value or best_or_last(_RUN_DIR.value))
    data = load_image_data(**run.config.data.loading(data_flag.data_dir()))
    print(f"Exporting  {run.identity}")
    paths = export_parts(
        run, data.class_names, _EXPORT_DIR.value, _WHAT.value, _VERSION.value, _FORMAT.value
    )
    for name, path in paths.items():
        print(f"  {name:<14}{path}")
    return 0


if __name__ == "__main__":
    command.run(main)
