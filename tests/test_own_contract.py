"""What a part of one's own must keep to: each fault is planted once and said in one line."""

import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from own_modules import NETS, NORMS, RULES

NORM, ACTIVATION, RULE = (
    "normalization=my:RMSNorm",
    "activation=my:softsign",
    "optimizer=my:SignedRoot",
)
OF_UNITS, WHOLE = "model=my:of_units", "model=my:whole"
# The beginnings of lines of those modules.
NORM_CALL, NORM_GIVES = "        mean_square =", "        return self.gamma * inputs"
NORM_KEEPS = '        self.gamma = self.add_weight(input_shape[-1:], "ones", name="gamma")\n'
NORM_TAKES, NORM_BEGINS = "    def __init__(self, ", "        self.epsilon = epsilon\n"
RULE_MOVES = "        rate = ops.cast(learning_rate, variable.dtype)\n"
SIGN, ROOT = "    return values /", "    return values / (1 + ops.absolute(values))"
LOGITS = 'layers.Dense(num_classes, name="logits")'

# By the fault: the word that names the part, its module where it is right, what of it is replaced,
# by what, and what is said.
FAULTS = {
    "a class that is no layer": (
        NORM,
        NORMS,
        "(keras.layers.Layer)",
        "",
        "expected a class of keras.layers.Layer, got the class RMSNorm",
    ),
    "a constructor without name": (
        NORM,
        NORMS,
        "1e-6, **options):\n        super().__init__(**options)",
        "1e-6):\n        super().__init__()",
        "cannot be made with name and epsilon: TypeError",
    ),
    "another shape": (
        NORM,
        NORMS,
        NORM_GIVES,
        "        return inputs[..., :1] * self.gamma[0]\n" + NORM_GIVES,
        "expected outputs of the shape of the inputs, (None, 100), got (None, 1)",
    ),
    "Python's if on a number": (
        NORM,
        NORMS,
        NORM_CALL,
        "        if float(ops.sum(inputs)) > 0:\n            pass\n" + NORM_CALL,
        "its call cannot be compiled, on inputs of shape (None, 100)",
    ),
    "an argument that its config does not say": (
        NORM,
        NORMS,
        '"epsilon": self.epsilon',
        "",
        "get_config does not say all that makes it what it is",
    ),
    "a config that cannot be read": (
        NORM,
        NORMS,
        '"epsilon": self.epsilon',
        '"epsilon": self.epsilon, "other": 1',
        "its get_config and from_config failed",
    ),
    "an average outside of its weights": (
        NORM,
        NORMS,
        NORM_CALL,
        "        self.average = ops.mean(inputs)\n" + NORM_CALL,
        "its call changes average, which is no weight",
    ),
    "a count outside of its weights": (
        NORM,
        NORMS.replace(NORM_BEGINS, NORM_BEGINS + "        self.calls = 0\n"),
        NORM_CALL,
        "        self.calls += 1\n" + NORM_CALL,
        "its call changes calls, which is no weight",
    ),
    "a list that grows": (
        NORM,
        NORMS.replace(NORM_BEGINS, NORM_BEGINS + "        self.kept = {'all': [0]}\n"),
        NORM_CALL,
        "        self.kept['all'].append(1)\n" + NORM_CALL,
        "its call changes kept, which is no weight",
    ),
    "something remembered by its module": (
        NORM,
        NORMS + "\n\nCALLS = []\n",
        NORM_GIVES,
        "        CALLS.append(1)\n        inputs = inputs * len(CALLS)\n" + NORM_GIVES,
        "the same weights and inputs gave other outputs the second time",
    ),
    "another inference than training": (
        NORM,
        NORMS.replace("def call(self, inputs)", "def call(self, inputs, training=False)"),
        NORM_CALL,
        "        inputs = inputs - ops.mean(inputs, 0) if training else inputs\n" + NORM_CALL,
        "inference gives other outputs than training",
    ),
    "a draw outside of the seeds": (
        NORM,
        NORMS.replace("import keras\n", "import keras\nimport numpy as np\n"),
        NORM_CALL,
        "        inputs = inputs + np.random.standard_normal()\n" + NORM_CALL,
        "the same weights and inputs gave other outputs the second time",
    ),
    "weights that begin at random": (
        NORM,
        NORMS,
        NORM_KEEPS,
        NORM_KEEPS.replace("ones", "random_normal").replace('gamma")', 'gain")'),
        "its weight gain begins at random, outside of the seeds",
    ),
    "an error of its own": (
        NORM,
        NORMS,
        NORM_CALL,
        "        raise KeyError('mine')\n" + NORM_CALL,
        "its call cannot be compiled, on inputs of shape (None, 100): KeyError: 'mine' (",
    ),
    "an import that fails": (
        NORM,
        "import nothing_of_this_name\n" + NORMS,
        "",
        "",
        "cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'",
    ),
    "an activation that is a class": (
        ACTIVATION,
        "class softsign:\n    pass\n",
        "",
        "",
        "expected a function of a tensor, got the class softsign",
    ),
    "an activation of another shape": (
        ACTIVATION,
        RULES,
        ROOT,
        "    return ops.sum(values, -1)",
        "expected outputs of the shape of the inputs, (None, 100), got (None,)",
    ),
    "an activation that fails": (
        ACTIVATION,
        RULES,
        SIGN,
        "    return values.nothing /",
        "it cannot be compiled",
    ),
    "an activation that draws": (
        ACTIVATION,
        "import numpy as np\n" + RULES,
        ROOT,
        "    return values * np.random.standard_normal()",
        "the same inputs gave other outputs the second time",
    ),
    "a class that is no optimizer": (
        RULE,
        RULES,
        "(keras.optimizers.Optimizer)",
        "",
        "expected a class of keras.optimizers.Optimizer, got the class SignedRoot",
    ),
    "an optimizer without a rate": (
        RULE,
        RULES,
        "learning_rate=0.01, momentum",
        "momentum",
        "cannot be made with learning_rate, name and momentum",
    ),
    "an optimizer that fails": (
        RULE,
        RULES,
        RULE_MOVES,
        RULE_MOVES + "        raise KeyError('mine')\n",
        "its update failed on two weights: KeyError",
    ),
    "a count in an optimizer": (
        RULE,
        RULES.replace("momentum\n\n", "momentum\n        self.count = 0\n\n"),
        RULE_MOVES,
        RULE_MOVES + "        self.count += 1\n",
        "its update changes count, which is no variable",
    ),
    "an optimizer that draws": (
        RULE,
        "import numpy as np\n" + RULES,
        RULE_MOVES,
        RULE_MOVES + "        rate = rate * np.random.standard_normal()\n",
        "the same gradients gave other weights the second time",
    ),
    "a rate that does not count": (
        RULE,
        RULES,
        RULE_MOVES,
        "        rate = ops.cast(0.1, variable.dtype)\n",
        "another learning rate gave the same weights",
    ),
    "a network that is no function": (OF_UNITS, "of_units = 3\n", "", "", "expected a function of"),
    "a network that asks for more": (
        OF_UNITS,
        NETS,
        "(images, units, config)",
        "(images, units, depth)",
        "asks for depth: expected arguments among images, units, config, input_shape, num_classes",
    ),
    "feature maps for features": (
        OF_UNITS,
        NETS,
        '    values = units.dense(values, 20, "hidden_1")\n',
        "    return images\n",
        "expected features of shape (None, units), or a keras.Model, got (None, 8, 8, 1)",
    ),
    "a network that fails": (
        OF_UNITS,
        NETS,
        "    values = layers.Flatten",
        "    values = layers.Flaten",
        "it cannot be built: AttributeError",
    ),
    "probabilities": (
        WHOLE,
        NETS,
        LOGITS,
        LOGITS.replace(", name", ', activation="softmax", name'),
        "gives probabilities; expected logits: leave the softmax out",
    ),
    "as many scores as there are no classes": (
        WHOLE,
        NETS,
        LOGITS,
        LOGITS.replace("num_classes", "7"),
        "expected one output of shape (None, 10), got [(None, 7)]",
    ),
    "scores in another precision": (
        WHOLE,
        NETS,
        LOGITS,
        LOGITS.replace(", name", ', dtype="bfloat16", name'),
        "gives logits as bfloat16; make the last layer with dtype='float64'",
    ),
    "a model in a model": (
        WHOLE,
        NETS,
        "    logits = ",
        "    values = keras.Sequential([layers.Dense(5)], name='inner')(values)\n    logits = ",
        "holds the model inner",
    ),
    "a model without a graph": (
        WHOLE,
        NETS,
        "return keras.Model(images, logits(values))",
        "return keras.Sequential([logits])",
        "expected a model whose layers are known",
    ),
    "a bias that begins at random": (
        WHOLE,
        NETS,
        LOGITS,
        LOGITS.replace(", name", ', bias_initializer="random_normal", name'),
        "its weight logits/bias begins at random, outside of the seeds",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_fault_is_said_before_anything_trains(backend, fault, tmp_path):
    word, module, right, wrong, message = FAULTS[fault]
    assert right in module
    (tmp_path / "my.py").write_text(module.replace(right, wrong, 1) if right else module)
    said = ask("with_own_parts", (word,), str(tmp_path), "built", backend=backend)
    assert isinstance(said, str), f"nothing was said, but found: {said}"
    assert said.startswith(f"{word}: ") and message in said
    assert "\n" not in said and len(said) < 900


ALLOWED = {
    "a layer that keeps an average": (
        NORM,
        NORMS.replace(
            NORM_KEEPS,
            NORM_KEEPS + '        self.mean = self.add_weight((), "zeros", trainable=False)\n',
        )
        .replace("def call(self, inputs)", "def call(self, inputs, training=False)")
        .replace(
            NORM_CALL,
            "        if training:\n"
            "            self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(inputs))\n"
            "        else:\n            inputs = inputs - self.mean\n" + NORM_CALL,
        ),
    ),
    "a layer that draws from its seed": (
        NORM,
        NORMS.replace(
            NORM_BEGINS, NORM_BEGINS + "        self.seed = keras.random.SeedGenerator(0)\n"
        )
        .replace("def call(self, inputs)", "def call(self, inputs, training=False)")
        .replace(
            NORM_CALL,
            "        if training:\n            noise = keras.random.normal(\n"
            "                ops.shape(inputs), dtype=inputs.dtype, seed=self.seed\n            )\n"
            "            inputs = inputs + noise\n" + NORM_CALL,
        ),
    ),
    "a layer of Keras": ("normalization=keras.layers:LayerNormalization", ""),
    "an optimizer of Keras": ("optimizer=keras.optimizers:Lion", ""),
    "an activation of Keras": ("activation=keras.activations:mish", ""),
}


@pytest.mark.parametrize("kind", ALLOWED)
@JAX_AND_SLOWLY_TENSORFLOW
def test_what_keeps_to_the_contract_is_trained(backend, kind, tmp_path):
    word, module = ALLOWED[kind]
    (tmp_path / "my.py").write_text(module)
    words = (word, "batch_size=20", "model.hidden_layers=1")
    answer = ask("with_own_parts", words, str(tmp_path), "trained", 3, backend=backend)
    assert isinstance(answer, dict), answer
    assert answer["loss"].shape == (3,)
