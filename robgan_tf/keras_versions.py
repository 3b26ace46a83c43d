"""What differs between Keras 3 and Keras 2.15; nothing else in the package asks for a version.

Keras 3 comes with TensorFlow 2.16 and later. Keras 2.15 comes with TensorFlow 2.15, the last that
TensorFlow Addons works with. docs/reference/stacks.md has what both offer under one name.
"""

import abc
import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import tensorflow as tf
from typing_extensions import override

IS_KERAS_2 = keras.__version__.startswith("2.")
if IS_KERAS_2:
    from keras.src.mixed_precision import autocast_variable

_VariableType = tf.Variable if IS_KERAS_2 else keras.Variable
if TYPE_CHECKING:
    Variable: TypeAlias = Any
else:
    # What a layer's weights are.
    Variable = _VariableType
# What an update of all variables has in common, scalars.
Factors = tuple[tf.Tensor, ...]


def is_floating_variable(value: Any) -> bool:
    """Whether it is a weight of a floating type."""
    # At other values, a layer of Keras 2 has something else in its place.
    kinds = (tf.Variable, tf.Tensor, _OfEachReplica) if IS_KERAS_2 else _VariableType
    return isinstance(value, kinds) and tf.as_dtype(value.dtype).is_floating


def tensorflow_variable(variable: Variable) -> tf.Variable:
    """The TensorFlow variable behind a weight."""
    return variable if IS_KERAS_2 else variable.value


def variable_dtype(policy: Any) -> str:
    """The type of the variables of a layer that is given this `dtype`; None for Keras's policy."""
    if not IS_KERAS_2:
        return keras.dtype_policies.get(policy).variable_dtype
    if policy is None:
        return keras.mixed_precision.global_policy().variable_dtype
    if isinstance(policy, dict):
        return keras.mixed_precision.Policy.from_config(policy["config"]).variable_dtype
    if isinstance(policy, str):
        return keras.mixed_precision.Policy(policy).variable_dtype
    return policy.variable_dtype


def keep_paths(model: keras.layers.Layer) -> None:
    """Gives every variable of a built model its path (`variable_path`) and Keras 3's names.

    Keras 3 does so itself. Keras 2 does where a layer is called, not where it is built.
    """
    if IS_KERAS_2:
        _keep_paths(model, model.name)


def variable_path(variable: Variable) -> str:
    """A variable's name, with those of the layers it is in: model/block/convolution/kernel."""
    return getattr(variable, "_path", variable.name) if IS_KERAS_2 else variable.path


def _keep_paths(layer: keras.layers.Layer, prefix: str) -> None:
    for variable in [*layer._trainable_weights, *layer._non_trainable_weights]:
        if not hasattr(variable, "_path"):
            name = variable.name.rpartition("/")[2].partition(":")[0]
            variable._path = f"{prefix}/{name}"
    if isinstance(vars(layer).get("kernel"), tf.Variable):
        # So is it called in a checkpoint of Keras 3, which this one may read or be read by.
        layer._track_trackable(layer.kernel, "_kernel", overwrite=True)
    for inner in layer._flatten_layers(recursive=False, include_self=False):
        _keep_paths(inner, f"{prefix}/{inner.name}")


def call_as_stored(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
    """Calls a layer made with `autocast=False` to which its variables have the type they are of.

    For use within its own first call, in which they may be in half precision.
    """
    if not IS_KERAS_2:
        return layer(*args, **kwargs)  # In a call within another they are as stored.
    with autocast_variable.enable_auto_cast_variables(None):
        return layer.call(*args, **kwargs)


def call_with_value(
    layer: keras.layers.Layer, variable: Variable, value: tf.Tensor, inputs: Any
) -> tuple[Any, list[tf.Tensor]]:
    """Calls a layer to which one of its variables has another value.

    Args:
      layer: a built layer.
      variable: one of its own variables, which stays as it is.
      value: what the layer is to read instead.
      inputs: of the layer.

    Returns:
      What the layer returns, and losses of the call that the layer itself does not keep.
    """
    call = _call_with_attribute if IS_KERAS_2 else _call_in_scope
    return call(layer, variable, value, inputs)


def _call_with_attribute(
    layer: keras.layers.Layer, variable: Variable, value: tf.Tensor, inputs: Any
) -> tuple[Any, list[tf.Tensor]]:
    ((inner, name),) = [
        (inner, name)
        for inner in layer._flatten_layers()  # A wrapper's variable may be in what it wraps.
        for name, own in vars(inner).items()
        if own is variable
    ]
    # Past Keras's bookkeeping. A weight would be read in this type within the layer.
    vars(inner)[name] = tf.cast(value, inner.compute_dtype) if inner._autocast else value
    try:
        return layer(inputs), []
    finally:
        vars(inner)[name] = variable


def _call_in_scope(
    layer: keras.layers.Layer, variable: Variable, value: tf.Tensor, inputs: Any
) -> tuple[Any, list[tf.Tensor]]:
    variables = layer.variables
    scope = keras.StatelessScope(
        [(own, value if own is variable else own.value) for own in variables],
        collect_losses=True,
    )
    given = [scope.get_current_value(own) for own in variables]
    with scope:
        outputs = layer(inputs)
    # What the call changed and added stayed within the scope.
    for own, before in zip(variables, given, strict=True):
        changed = scope.get_current_value(own)
        if changed is not before and own is not variable:
            own.assign(changed)
    # Copies: where losses are collected by identity, the layer's would count too.
    return outputs, [tf.identity(loss) for loss in scope.losses]


@contextlib.contextmanager
def at_values(
    model: keras.Model, variables: Sequence[Variable], values: Sequence[tf.Tensor]
) -> Iterator[None]:
    """Within the block, calls of a model see other values of its variables; none is changed.

    What else the calls change, such as moving averages, has changed when the block ends.

    Args:
      model: a built model.
      variables: some of its variables.
      values: a tensor for each, of its shape.
    """
    if IS_KERAS_2:
        with _at_attributes(model, variables, values):
            yield
        return
    scope = keras.StatelessScope(list(zip(variables, values, strict=True)))
    with scope:
        yield
    for variable in model.non_trainable_variables:
        moved = scope.get_current_value(variable)
        if moved is not None:
            variable.assign(moved)


@contextlib.contextmanager
def _at_attributes(
    model: keras.Model, variables: Sequence[Variable], values: Sequence[tf.Tensor]
) -> Iterator[None]:
    by_identity = {id(v): value for v, value in zip(variables, values, strict=True)}
    this_replica = threading.get_ident()
    changed = []
    for layer in model._flatten_layers():
        for name, own in vars(layer).items():
            # Another replica may have put one here.
            variable = own.variable if isinstance(own, _OfEachReplica) else own
            if id(variable) in by_identity:
                changed.append((vars(layer), name, variable))
    for attributes, name, variable in changed:
        if not isinstance(attributes[name], _OfEachReplica):
            attributes[name] = _OfEachReplica(variable)
        attributes[name].values[this_replica] = by_identity[id(variable)]
    try:
        yield
    finally:
        for attributes, name, variable in changed:
            del attributes[name].values[this_replica]
            if not attributes[name].values:
                attributes[name] = variable


class _OfEachReplica:
    """What stands in a layer for a variable where replicas, threads in turn, see other values."""

    def __init__(self, variable: tf.Variable) -> None:
        self.variable = variable
        self.values: dict[int, tf.Tensor] = {}
        self.shape, self.dtype = variable.shape, variable.dtype

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> tf.Tensor:
        value = self.values.get(threading.get_ident(), self.variable)
        return tf.convert_to_tensor(value, dtype, name=name)


@contextlib.contextmanager
def without_trace(model: keras.Model) -> Iterator[None]:
    """Within the block, calls of a model in training mode move no moving average."""
    if not IS_KERAS_2:
        with keras.StatelessScope():
            yield
        return
    before = [tf.identity(variable) for variable in model.non_trainable_variables]
    yield
    for variable, value in zip(model.non_trainable_variables, before, strict=True):
        variable.assign(value)


def traced_output_spec(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
    """What a layer's call returns, found by tracing it; only Keras 3 asks."""
    return keras.Operation.compute_output_spec(layer, *args, **kwargs)


def normalize_in_place(wrapper: keras.layers.Layer) -> None:
    """What Keras's SpectralNormalization does to its kernel and u in a call in training mode."""
    if IS_KERAS_2:
        normalize = wrapper.normalize_weights
        if not tf.executing_eagerly():
            # Its condition on a tensor is for autograph.
            normalize = tf.function(normalize, autograph=True)
        normalize()
        return
    vector_u, kernel = tf.cond(
        tf.reduce_all(tf.equal(tf.convert_to_tensor(wrapper.kernel), 0)),
        lambda: (wrapper.vector_u.value, wrapper.kernel.value),
        wrapper.normalized_weights,
    )
    wrapper.vector_u.assign(vector_u)
    wrapper.kernel.assign(kernel)


class SharedFactorsAdam(keras.optimizers.Adam, abc.ABC):
    """Adam whose updates of all variables share factors that are computed once.

    Args are those of `keras.optimizers.Adam`, but `amsgrad` and `use_ema`.

    Raises:
      ValueError: if one of these two is True.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.amsgrad or self.use_ema:
            raise ValueError(f"{type(self).__name__} has neither amsgrad nor use_ema")

    @override
    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        if IS_KERAS_2:
            # Of a schedule, which gives it before every update: no state, and not in checkpoints of
            # Keras 3, which are the same but for it.
            self._delete_tracking("_current_learning_rate")

    @abc.abstractmethod
    def factors(self, learning_rate: tf.Tensor) -> Factors:
        """What the update of every variable needs."""

    @abc.abstractmethod
    def update(self, variable: tf.Variable, gradient: tf.Tensor, *factors: tf.Tensor) -> None:
        """Updates a variable and its moments."""

    def moments(self, variable: tf.Variable) -> tuple[tf.Variable, tf.Variable]:
        """The moving averages of a variable's gradient and of its square."""
        if IS_KERAS_2:
            index = self._index_dict[self._var_key(variable)]
            return self._momentums[index], self._velocities[index]
        index = self._get_variable_index(variable)
        return self._momentums[index].value, self._velocities[index].value

    @override
    def update_step(
        self,
        gradient: tf.Tensor,
        variable: Variable,
        learning_rate: tf.Tensor | None = None,
    ) -> None:
        rate = self.learning_rate if learning_rate is None else learning_rate
        self.update(variable, gradient, *self.factors(rate))

    def _update_all(
        self,
        distribution: tf.distribute.StrategyExtended,
        grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]],
        factors: Factors,
    ) -> None:
        for gradient, variable in grads_and_vars:
            distribution.extended.update(
                variable, self.update, args=(gradient, *factors), group=False
            )

    # Keras 3 calls these two, on the replica, where learning rate and update are single numbers,
    # and across replicas.
    @override
    def _backend_update_step(
        self,
        grads: Sequence[tf.Tensor],
        trainable_variables: Sequence[Variable],
        learning_rate: tf.Tensor,
    ) -> None:
        super()._backend_update_step(grads, trainable_variables, self.factors(learning_rate))

    @override
    def _distributed_tf_update_step(
        self,
        distribution: tf.distribute.StrategyExtended,
        grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]],
        learning_rate: Factors,
    ) -> None:
        self._update_all(distribution, grads_and_vars, learning_rate)

    # Keras 2 calls these two, likewise.
    @override
    def _internal_apply_gradients(
        self, grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]]
    ) -> tf.Tensor:
        return tf.__internal__.distribute.interim.maybe_merge_call(
            self._distributed_apply_gradients_fn,
            self._distribution_strategy,
            grads_and_vars,
            self.factors(self.learning_rate),
        )

    @override
    def _distributed_apply_gradients_fn(
        self,
        distribution: tf.distribute.StrategyExtended,
        grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]],
        factors: Factors,
    ) -> tf.Tensor:
        self._update_all(distribution, grads_and_vars, factors)
        return self.iterations.assign_add(1)


def next_learning_rate(optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
    """The learning rate of the optimizer's next update, a scalar."""
    rate = optimizer._learning_rate if IS_KERAS_2 else optimizer.learning_rate
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        rate = rate(optimizer.iterations)
    return tf.convert_to_tensor(rate)
