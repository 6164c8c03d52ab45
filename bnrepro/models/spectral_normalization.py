"""Spectral normalization (Miyato et al. 2018): weights whose largest singular value is 1."""

from typing import Any

import keras
from keras import ops

from bnrepro.models.reparametrization import Reparametrized

SINGULAR_VECTOR = "singular_vector"


class SpectrallyNormalized(Reparametrized):
    """Weights `W / s(W)`, in training and inference: https://arxiv.org/abs/1802.05957, algorithm 1.

    W is the kernel's variable as a matrix (all that one output sums, outputs), and s(W) = |W u| its
    largest singular value as a vector u of length 1, (outputs,), sees it: `u <- W^T v / |W^T v|`
    with `v = W u / |W u|`, once in every step of a training, before it computes. u begins at
    random, and is a constant of the gradient, which is then
    `(dL/dW_bar - <dL/dW_bar, W_bar> v u^T) / s` by W, W_bar being the normalized one.

    Paper: s = v^T W u with the v that the new u was made of. Ours: with the v that the new u makes,
    which costs as much, is nearer, and is what inference has.
    """

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.singular_vector = self.add_weight(
            name=SINGULAR_VECTOR, shape=self._kernel.shape[-1:], initializer="ones", trainable=False
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if training and self.trainable:
            self.singular_vector.assign(self._iterated())
        return super().call(inputs)

    def reparametrized(self, variable: Any) -> Any:
        u = ops.stop_gradient(ops.convert_to_tensor(self.singular_vector))
        return variable / _length(ops.matmul(_matrix(variable), u))

    def _iterated(self) -> Any:
        """u after another power iteration."""
        matrix = _matrix(ops.stop_gradient(ops.convert_to_tensor(self._kernel)))
        v = _unit(ops.matmul(matrix, ops.convert_to_tensor(self.singular_vector)))
        return _unit(ops.matmul(v, matrix))


@keras.saving.register_keras_serializable("bnrepro")
class SpectrallyNormalizedDense(SpectrallyNormalized, keras.layers.Dense):
    """`Dense` with weights as `SpectrallyNormalized` has them."""


@keras.saving.register_keras_serializable("bnrepro")
class SpectrallyNormalizedConv2D(SpectrallyNormalized, keras.layers.Conv2D):
    """`Conv2D` with weights as `SpectrallyNormalized` has them: W is (window * inputs, outputs)."""


def _matrix(kernel: Any) -> Any:
    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def _length(vector: Any) -> Any:
    return ops.sqrt(ops.sum(vector * vector))


def _unit(vector: Any) -> Any:
    return vector / _length(vector)
