"""Where a training's arrays lie under JAX: on one device, or each batch split over several.

Over several, one program runs on all of them: weights lie on every device, examples of a batch on
one each. What it computes is what one device computes, sums over the batch (statistics of a
normalization, the loss and its gradient) included, which XLA makes over the devices' parts; only
rounding differs.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bnrepro.config import ConfigError, Recipe

_BATCH = "batch"


class Placement:
    """On one device, which is where JAX puts everything by itself."""

    num_devices = 1

    def named(self, device: str) -> str:
        """What a record calls the devices, of the kind `device`."""
        return device

    def check(self, batch_size: int) -> None:
        """Refuse a batch of which the devices cannot have equal parts.

        Raises:
            ConfigError: then.
        """

    def replicate(self, tree: Any) -> Any:
        """Arrays of which every device has a whole copy."""
        return tree

    def split(self, array: Any, axis: int = 0) -> Any:
        """An array whose `axis` goes over the examples of a batch, an equal part on each device.

        One that cannot be divided lies whole on every device.
        """
        return array

    def split_traced(self, array: Any) -> Any:
        """The same inside a program, for an array that begins with the examples of a batch."""
        return array

    def jit(self, function: Callable[..., Any], **options: Any) -> Any:
        """A compiled program, what it returns whole on every device."""
        return jax.jit(function, **options)


class Several(Placement):
    """Over several devices, of this process or of several that train together."""

    def __init__(self, devices: list[Any]) -> None:
        self.num_devices = len(devices)
        self._mesh = Mesh(np.array(devices), (_BATCH,))
        self._everywhere = NamedSharding(self._mesh, PartitionSpec())

    def named(self, device: str) -> str:
        return f"{self.num_devices} x {device}"

    def check(self, batch_size: int) -> None:
        count = self.num_devices
        if batch_size % count:
            raise ConfigError(
                f"batch_size={batch_size} with {count} devices: expected as many examples for "
                f"each; use batch_size={max(batch_size // count, 1) * count}"
            )

    def replicate(self, tree: Any) -> Any:
        return jax.tree.map(lambda array: _placed(np.asarray(array), self._everywhere), tree)

    def split(self, array: Any, axis: int = 0) -> Any:
        divides = array.shape[axis] % self.num_devices == 0
        return _placed(array, self._along(axis) if divides else self._everywhere)

    def split_traced(self, array: Any) -> Any:
        return jax.lax.with_sharding_constraint(array, self._along(0))

    def jit(self, function: Callable[..., Any], **options: Any) -> Any:
        return jax.jit(function, out_shardings=self._everywhere, **options)

    def _along(self, axis: int) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec(*[None] * axis, _BATCH))


def _placed(array: np.ndarray, sharding: NamedSharding) -> Any:
    """Each process puts its devices' parts there; all of them have the whole array.

    `jax.device_put` would have them compare theirs first, in each step.
    """
    return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part])


def place(config: Recipe) -> Placement:
    """The placement that `config` asks for.

    Raises:
        ConfigError: if JAX finds fewer devices.
    """
    found = jax.devices()
    count = len(found) if config.devices == "all" else int(config.devices)
    if count > len(found):
        raise ConfigError(
            f"devices={count}: JAX finds {len(found)} ({found[0].device_kind}); use "
            f"devices={len(found)}, or devices=all"
        )
    if count == 1:
        return Placement()
    # As many of each process: what it does not use, it could not be given anything for.
    groups = [jax.local_devices(process) for process in range(jax.process_count())]
    return Several([device for group in groups for device in group[: count // len(groups)]])
