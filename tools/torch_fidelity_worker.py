"""Measures image quality with torch-fidelity, as its documentation shows.

Started by the benchmark (tools/benchmarks/quality_peer.py) in an environment of its own; imports
nothing of this package. Two folders of images in, one JSON line out. The features are those of
EfficientNet-Lite0, the same network and weights as tools/quality_peer/efficientnet_lite0.py.
"""

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
import torch_fidelity
from torch.nn import functional
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

NAME = "efficientnet-lite0"
SIDE = 224
FEATURES, LOGITS = "features", "logits"


class EfficientNetLite0(FeatureExtractorBase):
    """The network as torch-fidelity takes it: uint8 images [N, 3, H, W] to named features.

    Args:
      name: of the extractor, as torch-fidelity gives it.
      features_list: which of them are wanted, as torch-fidelity gives them.
      feature_extractor_weights_path: npz of the weights.
      **kwargs: what else torch-fidelity gives.

    Attributes:
      strides: of the depthwise convolution of each block; of the class, since torch-fidelity makes
        the object.
    """

    strides: tuple[int, ...] = ()

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, features_list)
        with np.load(feature_extractor_weights_path) as arrays:
            for key in arrays.files:
                value = torch.from_numpy(arrays[key].astype(np.float32))
                if value.ndim == 4:
                    # Depthwise kernels have their multiplier of 1 last, others their outputs.
                    order = (2, 3, 0, 1) if "depthwise" in key else (3, 2, 0, 1)
                    value = value.permute(*order).contiguous()
                self.register_buffer(key.replace("/", "_"), value)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The features that were asked for, in their order."""
        hidden = functional.interpolate(
            images.to(torch.float32), size=(SIDE, SIDE), mode="bilinear", antialias=True
        )
        hidden = functional.relu6(self._convolve((hidden - 127.0) / 128.0, "stem", 2))
        for number, stride in enumerate(self.strides):
            hidden = self._block(hidden, f"block{number:02d}", stride)
        features = functional.relu6(self._convolve(hidden, "head")).mean(dim=(2, 3))
        found = {FEATURES: features, LOGITS: features @ self.fc_kernel + self.fc_bias}
        return tuple(found[name] for name in self.features_list)

    def _block(self, inputs: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        hidden = inputs
        if hasattr(self, f"{name}_expand_kernel"):
            hidden = functional.relu6(self._convolve(hidden, f"{name}_expand"))
        hidden = functional.relu6(self._convolve(hidden, f"{name}_depthwise", stride))
        hidden = self._convolve(hidden, f"{name}_project")
        return inputs + hidden if inputs.shape == hidden.shape else hidden

    def _convolve(self, inputs: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        kernel, bias = getattr(self, f"{name}_kernel"), getattr(self, f"{name}_bias")
        side, width = inputs.shape[-1], kernel.shape[-1]
        # TensorFlow's padding, of which the larger half comes after.
        total = max((-(-side // stride) - 1) * stride + width - side, 0)
        before, after = total // 2, total - total // 2
        padded = functional.pad(inputs, (before, after, before, after)) if total else inputs
        groups = inputs.shape[1] if kernel.shape[1] == 1 else 1
        return functional.conv2d(padded, kernel, bias, stride, groups=groups)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """The names of the features."""
        return FEATURES, LOGITS

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """The name of the features that a metric takes."""
        return LOGITS if metric == "isc" else FEATURES

    @staticmethod
    def can_be_compiled() -> bool:
        """Whether torch-fidelity may compile it where it is asked to."""
        return True

    @staticmethod
    def get_dummy_input_for_compile() -> torch.Tensor:
        """An image to compile it with."""
        return torch.zeros([1, 3, SIDE, SIDE], dtype=torch.uint8)


def main() -> None:
    """Runs the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generated", required=True)
    parser.add_argument("--real", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--strides", required=True)
    arguments = parser.parse_args()
    EfficientNetLite0.strides = tuple(map(int, arguments.strides.split(",")))
    torch_fidelity.register_feature_extractor(NAME, EfficientNetLite0)
    start = time.perf_counter()
    values = torch_fidelity.calculate_metrics(
        input1=arguments.generated,
        input2=arguments.real,
        samples_find_deep=True,
        cuda=False,
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        feature_extractor=NAME,
        feature_extractor_weights_path=arguments.weights,
        # The real images' features are computed anew each time, as ours are.
        cache=False,
        verbose=False,
    )
    print(
        json.dumps(
            {
                "values": values,
                "seconds_of_metrics": time.perf_counter() - start,
                "torch": torch.__version__,
                "torch_fidelity": torch_fidelity.__version__,
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
