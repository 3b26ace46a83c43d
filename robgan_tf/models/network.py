"""What G, D and PreActResNet-18 have in common as Keras models."""

import abc
from typing import Any, Self

import keras
import tensorflow as tf

from robgan_tf.keras_versions import keep_paths, tensorflow_variable
from robgan_tf.layers.eager import outside_graphs
from robgan_tf.typing import Shape


class Network(keras.Model):
    """A model that is made again from its constructor's arguments, with `build` needing no shape.

    So it can be saved: after `model.save("model.keras")`, `keras.models.load_model("model.keras")`
    gives a model of equal outputs in a process that has imported `robgan_tf.models`. A subclass
    adds its arguments to `get_config`, names the shape of its input by `example_shape` and creates
    its variables in `build_layers`.

    Args:
      name: of the model.
      **kwargs: `trainable` and `dtype` of `keras.Model`.

    Raises:
      ValueError: if the dtype is not the one that Keras is set to.
    """

    def __init__(self, name: str, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        ours, theirs = self.dtype_policy.name, keras.mixed_precision.global_policy().name
        # The layers inside take theirs from Keras, so the two have to agree.
        if ours != theirs:
            raise ValueError(
                f"{name} is a model in {ours} and Keras is set to {theirs}: call "
                f"keras.mixed_precision.set_global_policy({ours!r}) first"
            )

    @property
    @abc.abstractmethod
    def example_shape(self) -> Shape:
        """The shape of a batch of its first input; None for the number of samples."""

    @abc.abstractmethod
    def build_layers(self) -> None:
        """Builds every layer; all shapes are known from the constructor."""

    def build(self, input_shape: Any = None) -> None:
        """Creates all variables, if they are not there; the shape is known and not needed."""
        del input_shape
        if self.built:  # type: ignore[has-type]
            return  # A copy that Keras made is built already.
        with outside_graphs():
            self.build_layers()
        keep_paths(self)
        self._show_all_variables()
        self.built = True

    def _show_all_variables(self) -> None:
        """Lets checkpoints find every variable.

        Those of TensorFlow do not look into a list or a dict that Keras 3 watches: the layers in it
        would be neither stored nor loaded, without a word.
        """
        found = {id(each) for each in tf.train.TrackableView(self).descendants()}
        missed = [
            variable
            for variable in self.variables
            if not found & {id(variable), id(tensorflow_variable(variable))}
        ]
        if missed:
            self.found_nowhere_else = tf.Module()
            for number, variable in enumerate(missed):
                setattr(self.found_nowhere_else, f"variable_{number}", variable)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; Keras 2 leaves its own to a subclass that has others."""
        return {"name": self.name, **super().get_config()}

    def get_build_config(self) -> dict[str, Any]:
        """What Keras stores to build the model again.

        It asks before it stores weights, of which a model that was not built would have none.
        """
        self.build()
        return {"input_shape": self.example_shape}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the model again; the shape is known from the constructor."""
        del config
        self.build()

    def __reduce__(self) -> Any:
        """What a pickle is made of: that of a built model, or a copy would draw other weights."""
        self.build()
        return super().__reduce__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Returns a copy by way of `__reduce__`, as Keras 3 does."""
        make, arguments = self.__reduce__()[:2]
        memo[id(self)] = make(*arguments)
        return memo[id(self)]

    def folded(self) -> Self:
        """Returns a copy that computes the same in inference mode, in its plainest form."""
        copy = type(self).from_config(self.get_config())
        copy.build()
        for variable, value in zip(copy.variables, self.variables, strict=True):
            variable.assign(value)
        return copy
