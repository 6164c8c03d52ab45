"""The learned factors on a branch of ConvNeXt, with a name of their own."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("bnrepro")
class LayerScale(keras.layers.Layer):
    """Multiplies each channel by a trained factor, which begins at `initial`.

    Training and inference. https://arxiv.org/abs/2103.17239. The variable of Keras's own layer has
    no name, so that its path would depend on what was built before.
    """

    def __init__(self, initial: float, **options: Any) -> None:
        super().__init__(**options)
        self.initial = initial

    def build(self, input_shape: tuple[Any, ...]) -> None:
        self.factor = self.add_weight(
            shape=input_shape[-1:],
            initializer=keras.initializers.Constant(self.initial),
            name="factor",
        )

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial": self.initial}
