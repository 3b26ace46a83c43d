"""The commands, in the order in which they are listed: a new one is a line here and its module."""

# Name: (module with a `main(argv)`, what it does in one line). Imported when it is asked for.
COMMANDS = {
    "configs": ("robgan_tf.configs", "List the configurations that come with the package."),
    "prepare": ("robgan_tf.prepare", "Prepare ImageNet-143 or images of your own for training."),
    "train": ("robgan_tf.train", "Train generator, discriminator and attacker jointly."),
    "finetune": ("robgan_tf.finetune", "Train a robust classifier from the discriminator."),
    "launch": (
        "robgan_tf.launch",
        "Train or evaluate with several processes on this machine.",
    ),
    "evaluate": (
        "robgan_tf.evaluate",
        "Measure accuracy under attack, the gap to test images, or image quality.",
    ),
    "sample": (
        "robgan_tf.sample",
        "Draw sheets, interpolations, image sets, or nearest training images.",
    ),
    "record": ("robgan_tf.record", "Make a small record of a run, to commit and to compare."),
    "compare": ("robgan_tf.compare", "Compare how runs converge."),
    "report": ("robgan_tf.report", "Make a page of a run, one file, to send to somebody."),
    "reproduce": ("robgan_tf.reproduce", "Make tables and figures of the paper, and report."),
    "export": ("robgan_tf.export", "Export models for TensorFlow Serving or as ONNX."),
    "pack": ("robgan_tf.pack", "Pack a run into one file that can be handed over."),
    "serve_check": ("robgan_tf.serve_check", "Check a running model server."),
    "download_inception": (
        "robgan_tf.download_inception",
        "Download the Inception network of published scores.",
    ),
}
