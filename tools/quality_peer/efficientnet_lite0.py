"""EfficientNet-Lite0 in TensorFlow, the features of the comparison with torch-fidelity."""

import numpy as np
import tensorflow as tf

from robgan_tf.typing import PathLike

SIDE = 224
# Of the depthwise convolution of each inverted bottleneck.
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)


class EfficientNetLite0:
    """The ImageNet network, batch normalization folded into its convolutions.

    The same in PyTorch is in `tools/torch_fidelity_worker.py`.

    Args:
      path: npz of arrays `stem/kernel`, `block00/expand/kernel` (not in every block),
        `block00/depthwise/kernel`, `block00/project/kernel`, ..., `head/kernel`, `fc/kernel`, each
        with its `bias`; kernels as TensorFlow keeps them.
    """

    def __init__(self, path: PathLike) -> None:
        with np.load(path) as arrays:
            self._arrays = {name: tf.constant(arrays[name], tf.float32) for name in arrays.files}

    @tf.function(autograph=False, reduce_retracing=True)
    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Images [N, H, W, 3] from 0 to 255 to features [N, 1280] and logits [N, 1000]."""
        hidden = tf.image.resize(tf.cast(images, tf.float32), [SIDE, SIDE], antialias=True)
        hidden = tf.nn.relu6(self._convolve((hidden - 127.0) / 128.0, "stem", 2))
        for number, stride in enumerate(STRIDES):
            hidden = self._block(hidden, f"block{number:02d}", stride)
        hidden = tf.nn.relu6(self._convolve(hidden, "head"))
        features = tf.reduce_mean(hidden, [1, 2])
        return features, features @ self._arrays["fc/kernel"] + self._arrays["fc/bias"]

    def _block(self, inputs: tf.Tensor, name: str, stride: int) -> tf.Tensor:
        hidden = inputs
        if f"{name}/expand/kernel" in self._arrays:
            hidden = tf.nn.relu6(self._convolve(hidden, f"{name}/expand"))
        kernel = self._arrays[f"{name}/depthwise/kernel"]
        hidden = tf.nn.depthwise_conv2d(hidden, kernel, [1, stride, stride, 1], "SAME")
        hidden = tf.nn.relu6(hidden + self._arrays[f"{name}/depthwise/bias"])
        hidden = self._convolve(hidden, f"{name}/project")
        return inputs + hidden if inputs.shape == hidden.shape else hidden

    def _convolve(self, inputs: tf.Tensor, name: str, stride: int = 1) -> tf.Tensor:
        kernel = self._arrays[f"{name}/kernel"]
        return tf.nn.conv2d(inputs, kernel, stride, "SAME") + self._arrays[f"{name}/bias"]
