"""The network of a task in PyTorch, eager or compiled, channels last, its data on the device.

PyTorch is never among bnrepro's dependencies: this file is used only where it is installed. Keras
runs over PyTorch in this process, to draw the weights; no Keras layer is in the timed loop.
"""

import time
from typing import Any

import keras
import numpy as np
import torch

from bnrepro.bench.contenders.task import Contender, Task


class TorchEager(Contender):
    """A plain training loop: gather, forward, backward, `torch.optim.SGD`."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module = _Graph(task.keras_model()).to(self._device)
        images = torch.from_numpy(task.scaled).permute(0, 3, 1, 2)
        self._images = images.to(self._device, memory_format=torch.channels_last)
        self._module.to(memory_format=torch.channels_last)
        self._forward: Any = self._module
        self._labels = torch.from_numpy(task.dataset.train.labels).long().to(self._device)
        self._optimizer = torch.optim.SGD(
            self._module.parameters(), task.config.peak_learning_rate, task.momentum
        )
        self._step = 0

    def losses(self, steps: int) -> list[float]:
        return [float(self._update(rows)) for rows in self._rows(steps)]

    def train(self, steps: int) -> float:
        batches = self._rows(steps)
        started = time.perf_counter()
        for rows in batches:
            loss = self._update(rows)
        loss.item()  # waits for the device
        return time.perf_counter() - started

    def _rows(self, steps: int) -> Any:
        indices = self._task.order.indices(self._step, self._step + steps)
        self._step += steps
        return torch.from_numpy(indices).long().to(self._device)

    def _update(self, rows: Any) -> Any:
        images = self._images[rows].contiguous(memory_format=torch.channels_last)
        self._optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self._forward(images), self._labels[rows])
        loss.backward()
        self._optimizer.step()
        return loss.detach()


class TorchCompiled(TorchEager):
    """The same with forward and backward pass compiled, replayed as CUDA graphs."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._forward = torch.compile(self._module, mode="reduce-overhead")


class _Graph(torch.nn.Module):
    """A Keras model's layers as PyTorch modules, called in the model's order."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        places = {id(model.inputs[0]): 0}
        self._plan: list[tuple[torch.nn.Module, list[int]]] = []
        modules = []
        for layer in model.layers[1:]:
            inputs = layer.input if isinstance(layer.input, list) else [layer.input]
            module = _TRANSLATIONS[type(layer)](layer)
            modules.append(module)
            self._plan.append((module, [places[id(tensor)] for tensor in inputs]))
            places[id(layer.output)] = len(modules)
        self._modules_in_order = torch.nn.ModuleList(modules)

    def forward(self, images: Any) -> Any:
        values = [images]
        for module, inputs in self._plan:
            values.append(module(*[values[place] for place in inputs]))
        return values[-1]


class _Concatenate(torch.nn.Module):
    def forward(self, *values: Any) -> Any:
        return torch.cat(values, dim=1)


class _AveragePool(torch.nn.Module):
    def forward(self, values: Any) -> Any:
        return values.mean(dim=(2, 3))


def _dense(layer: Any) -> torch.nn.Module:
    module = torch.nn.Linear(*layer.kernel.shape, bias=layer.use_bias)
    return _filled(module, layer, layer.kernel.numpy().T)


def _convolution(layer: Any) -> torch.nn.Module:
    padding, before = _same_padding(layer, layer.kernel_size[0], layer.strides[0])
    _, _, inputs, outputs = layer.kernel.shape
    module = torch.nn.Conv2d(
        inputs, outputs, layer.kernel_size, layer.strides, padding, bias=layer.use_bias
    )
    _filled(module, layer, layer.kernel.numpy().transpose(3, 2, 0, 1))
    return torch.nn.Sequential(torch.nn.ZeroPad2d(before), module) if before else module


def _pool(layer: Any) -> torch.nn.Module:
    padding, before = _same_padding(layer, layer.pool_size[0], layer.strides[0])
    module = torch.nn.MaxPool2d(layer.pool_size, layer.strides, padding)
    if before is None:
        return module
    return torch.nn.Sequential(torch.nn.ConstantPad2d(before, float("-inf")), module)


def _same_padding(
    layer: Any, size: int, stride: int
) -> tuple[int, tuple[int, int, int, int] | None]:
    """Keras's padding "same": what PyTorch can do itself, or what is to be put around before."""
    height = layer.input.shape[1]
    total = max((-(-height // stride) - 1) * stride + size - height, 0)
    low, high = total // 2, total - total // 2
    return (low, None) if low == high else (0, (low, high, low, high))


def _batch_normalization(layer: Any) -> torch.nn.Module:
    # Dense layers have (batch, units) here, convolutions (batch, maps, height, width).
    dense = len(layer.input.shape) == 2
    make = torch.nn.BatchNorm1d if dense else torch.nn.BatchNorm2d
    return make(layer.moving_mean.shape[0], eps=layer.epsilon, momentum=1 - layer.momentum)


def _activation(layer: Any) -> torch.nn.Module:
    return {
        "relu": torch.nn.ReLU(inplace=True),
        "sigmoid": torch.nn.Sigmoid(),
    }[layer.get_config()["activation"]]


def _filled(module: torch.nn.Module, layer: Any, kernel: np.ndarray) -> torch.nn.Module:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        if layer.use_bias:
            module.bias.copy_(torch.from_numpy(np.array(layer.bias.numpy())))
    return module


_TRANSLATIONS = {
    keras.layers.Flatten: lambda layer: torch.nn.Flatten(),
    keras.layers.Dense: _dense,
    keras.layers.Conv2D: _convolution,
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.Activation: _activation,
    keras.layers.Concatenate: lambda layer: _Concatenate(),
    keras.layers.MaxPooling2D: _pool,
    keras.layers.GlobalAveragePooling2D: lambda layer: _AveragePool(),
}
