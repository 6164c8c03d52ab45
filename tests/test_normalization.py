"""Every normalization against NumPy in float64, from the formulas; and the laws they obey.

`KERAS_BACKEND` chooses the backend; `test_normalization_jax.py` runs this file under JAX.
"""

import keras
import numpy as np
import pytest

from bnrepro import normalization
from bnrepro.config import NORMALIZATIONS, ConfigError
from bnrepro.config.composition import compose
from bnrepro.normalization.batch_renorm import ALPHA, BatchRenormalization
from bnrepro.normalization.group import GroupNormalization, largest_divisor
from bnrepro.normalization.moments import TwiceDifferentiable
from bnrepro.normalization.per_activation import PerActivationBatchNormalization
from bnrepro.normalization.population import batch_moments

EPSILON = 1e-5
DENSE, CONVOLUTION = (6, 5), (4, 3, 2, 6)
# Settings, the shape of the input, and the axes of the statistics once the channels of a
# convolution are split into (groups, feature maps of a group).
PER_EXAMPLE = {
    "layer dense": (("normalization=layer",), DENSE, 1),
    "layer": (("normalization=layer",), CONVOLUTION, 1),
    "group dense": (("normalization=group", "group_size=3"), (4, 6), 2),
    "group": (("normalization=group", "group_size=2"), CONVOLUTION, 3),
    "group of a divisor": (("normalization=group", "group_size=5"), CONVOLUTION, 2),
    "instance": (("model=inception", "normalization=instance"), CONVOLUTION, 6),
}
BATCH = {
    "dense": ((), DENSE, (0,)),
    "per feature map": ((), CONVOLUTION, (0, 1, 2)),
    "per activation": (("batch_normalization.statistics=per_activation",), CONVOLUTION, (0,)),
}


def use(precision):
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    keras.config.set_dtype_policy(precision)


@pytest.fixture(autouse=True)
def double_precision(monkeypatch):
    from keras.src.backend.common import dtypes

    # Keras computes float64 in float32 under JAX unless it is told that JAX has 64 bits.
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    use("float64")
    yield
    use("float32")


def random(shape, purpose=0):
    return np.random.default_rng(purpose).normal(1.5, 2.0, shape)


def layer_of(words, shape, last_hidden=False):
    """A fresh layer with gamma and beta other than 1 and 0."""
    config = compose(list(words)).config
    layer = normalization.constructor(config, last_hidden)("unit_normalization")
    layer.build((None, *shape[1:]))
    for weight in layer.trainable_variables:
        weight.assign(random(weight.shape, purpose=len(weight.path)))
    return layer


def array(tensor):
    """A copy of a tensor or variable of either backend."""
    return np.asarray(keras.ops.convert_to_tensor(tensor)).copy()


def learned(layer):
    return array(layer.gamma), array(layer.beta)


def copy_weights(target, source):
    for ours, theirs in zip(target.variables, source.variables, strict=True):
        ours.assign(array(theirs))


def run(layer, values, training):
    return array(layer(keras.ops.convert_to_tensor(values), training=training))


def gradients(layer, values, upstream):
    """Of sum(upstream * layer(values)) in training: by values, then by the trainable variables."""
    weights = [weight.value for weight in layer.trainable_variables]
    if keras.backend.backend() == "jax":
        import jax

        def total(inputs, weights):
            mapping = list(zip(layer.trainable_variables, weights, strict=True))
            with keras.StatelessScope(mapping):
                return (upstream * layer(inputs, training=True)).sum()

        by_inputs, by_weights = jax.grad(total, argnums=(0, 1))(jax.numpy.asarray(values), weights)
        return [np.asarray(by_inputs), *map(np.asarray, by_weights)]
    import tensorflow as tf

    inputs = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
        total = tf.reduce_sum(tf.cast(upstream, outputs.dtype) * outputs)
    return [gradient.numpy() for gradient in tape.gradient(total, [inputs, *weights])]


def slopes(function, values, step=1e-5):
    """Central differences of a scalar function of an array."""
    result = np.zeros_like(values)
    for position in np.ndindex(values.shape):
        shift = np.zeros_like(values)
        shift[position] = step
        result[position] = (function(values + shift) - function(values - shift)) / (2 * step)
    return result


def close(received, expected, tolerance=1e-9):
    np.testing.assert_allclose(array(received), expected, rtol=tolerance, atol=tolerance)


# The formulas, in NumPy.


def algorithm_1(values, gamma, beta, axes):
    mean = values.mean(axes, keepdims=True)
    variance = ((values - mean) ** 2).mean(axes, keepdims=True)
    return gamma * (values - mean) / np.sqrt(variance + EPSILON) + beta


def algorithm_1_backward(x, dy, gamma):
    """The six equations of section 3; x and dy (m, features)."""
    m = len(x)
    mean, variance = x.mean(0), x.var(0)
    deviation = np.sqrt(variance + EPSILON)
    x_hat = (x - mean) / deviation
    dx_hat = dy * gamma
    dvariance = (dx_hat * (x - mean) * -0.5 * (variance + EPSILON) ** -1.5).sum(0)
    dmean = (-dx_hat / deviation).sum(0) + dvariance * (-2 * (x - mean)).mean(0)
    dx = dx_hat / deviation + dvariance * 2 * (x - mean) / m + dmean / m
    return dx, (dy * x_hat).sum(0), dy.sum(0)


def group_formula(values, gamma, beta, num_groups):
    """Statistics of each example over the places and the feature maps of a group."""
    grouped = values.reshape(*values.shape[:-1], num_groups, -1)
    axes = (*range(1, values.ndim - 1), -1)
    mean = grouped.mean(axes, keepdims=True)
    variance = ((grouped - mean) ** 2).mean(axes, keepdims=True)
    return ((grouped - mean) / np.sqrt(variance + EPSILON)).reshape(values.shape) * gamma + beta


def flattened(layer, values):
    """As a matrix with one column for each statistic of the layer."""
    return values.reshape(-1, layer.moving_mean.shape[0])


def shaped(weights, values):
    """gamma or beta, per activation or per feature map, against the values."""
    return weights if weights.shape[0] == values.shape[-1] else weights.reshape(values.shape[1:])


# Batch normalization. In float32 another program may compute it than in float64.

PRECISIONS = pytest.mark.parametrize(
    ("precision", "tolerance"), [("float64", 1e-9), ("float32", 3e-5)]
)


@PRECISIONS
@pytest.mark.parametrize("kind", BATCH)
def test_batch_normalization_trains_by_algorithm_1(kind, precision, tolerance):
    use(precision)
    words, shape, axes = BATCH[kind]
    layer, values = layer_of(words, shape), random(shape)
    gamma, beta = (shaped(weights, values) for weights in learned(layer))
    close(run(layer, values, training=True), algorithm_1(values, gamma, beta, axes), tolerance)


@PRECISIONS
@pytest.mark.parametrize("kind", BATCH)
def test_batch_normalization_has_the_gradients_of_the_six_equations(kind, precision, tolerance):
    use(precision)
    words, shape, _ = BATCH[kind]
    layer, values, upstream = layer_of(words, shape), random(shape), random(shape, 1)
    expected = algorithm_1_backward(
        flattened(layer, values), flattened(layer, upstream), learned(layer)[0]
    )
    dx, dgamma, dbeta = gradients(layer, values, upstream)
    close(dx, expected[0].reshape(shape), tolerance)
    close(dgamma, expected[1], tolerance)
    close(dbeta, expected[2], tolerance)


@PRECISIONS
@pytest.mark.parametrize("kind", BATCH)
def test_batch_normalization_infers_with_its_moving_averages(kind, precision, tolerance):
    use(precision)
    words, shape, _ = BATCH[kind]
    layer, values = layer_of((*words, "batch_normalization.momentum=0.8"), shape), random(shape)
    run(layer, values, training=True)
    matrix = flattened(layer, values)
    mean, variance = 0.2 * matrix.mean(0), 0.8 + 0.2 * matrix.var(0)
    close(layer.moving_mean, mean, tolerance)
    close(layer.moving_variance, variance, tolerance)
    gamma, beta = learned(layer)
    fresh = random(shape, 2)
    expected = gamma * (flattened(layer, fresh) - mean) / np.sqrt(variance + EPSILON) + beta
    close(run(layer, fresh, training=False), expected.reshape(shape), tolerance)


def test_only_the_last_hidden_layer_is_per_activation_where_that_is_asked():
    words = ("batch_normalization.statistics=per_activation_last",)
    assert layer_of(words, CONVOLUTION).moving_mean.shape == (6,)
    assert layer_of(words, CONVOLUTION, last_hidden=True).moving_mean.shape == (36,)


# Noisy batch normalization.

NOISY = ("normalization=noisy_batch",)


def noisy(shape, gamma, beta, name="unit_normalization", steps=0):
    """A layer with these gammas and betas, after some steps."""
    config = compose(list(NOISY)).config
    layer = normalization.constructor(config)(name)
    layer.build((None, *shape[1:]))
    layer.gamma.assign(np.full(shape[-1], gamma))
    layer.beta.assign(np.full(shape[-1], beta))
    for _ in range(steps):
        run(layer, random(shape), training=True)
    return layer


def noise(shape, **which):
    """(s, m) of a step: m is what a layer makes of zeros, s + m what it makes of ones."""
    shift, both = (run(noisy(shape, 0.0, beta, **which), random(shape), True) for beta in (0, 1))
    return both - shift, shift


@pytest.mark.parametrize("shape", [DENSE, CONVOLUTION])
def test_noisy_batch_normalization_follows_its_formula_and_gradients(shape):
    scale, shift = noise(shape)
    values, upstream = random(shape), random(shape, 1)
    axes = tuple(range(values.ndim - 1))
    received = run(noisy(shape, 1.5, 0.3), values, True)
    close(received, scale * algorithm_1(values, 1.5, 0.3, axes) + shift)
    layer = noisy(shape, 1.5, 0.3)
    flat = [each.reshape(-1, shape[-1]) for each in (values, scale * upstream)]
    dx, dgamma, dbeta = algorithm_1_backward(*flat, np.full(shape[-1], 1.5))
    expected = (dx.reshape(shape), dgamma, dbeta)
    for ours, theirs in zip(gradients(layer, values, upstream), expected, strict=True):
        close(ours, theirs)


def test_the_noise_has_the_moments_of_its_formula():
    scale, shift = noise((100, 2_000))
    # A deviation over 2,000 units scatters by 1.6 % at most, one over 100 examples by 7 % a unit.
    assert shift.mean(0).std() == pytest.approx(1 / np.sqrt(12), rel=0.05)
    assert np.abs(shift).max() < 0.6 < 1.05 * np.abs(shift).max()
    spans = np.ptp(shift, axis=0)
    assert 0.15 < spans.min() < spans.max() < 0.2
    assert scale.mean() == pytest.approx(1.125, rel=0.01)
    assert scale.mean(0).std() == pytest.approx(0.25 / np.sqrt(12), rel=0.05)
    assert scale.std(0).mean() == pytest.approx(0.1, rel=0.02)
    values = np.random.default_rng(0).standard_normal(scale.shape)
    # 1.125^2 + 0.25^2 / 12 + 0.1^2 of the scale, 1/12 + 0.2^2 / 12 of the shift.
    assert (scale * values + shift).var() == pytest.approx(1.3675, rel=0.03)


def test_the_noise_is_of_one_step_and_one_layer():
    first = noise(DENSE)
    np.testing.assert_array_equal(noise(DENSE), first)
    for other in (noise(DENSE, steps=1), noise(DENSE, name="another")):
        assert np.abs(np.subtract(other, first)).min() > 0


def test_nothing_is_noisy_at_inference_nor_in_the_layers_own_statistics():
    layers = noisy(DENSE, 1.5, 0.3, steps=2), layer_of((), DENSE)
    copy_weights = [(layers[1].gamma, layers[0].gamma), (layers[1].beta, layers[0].beta)]
    for ours, theirs in copy_weights:
        ours.assign(array(theirs))
    for _ in range(2):
        run(layers[1], random(DENSE), training=True)
    inferred = [run(layer, random(DENSE, 2), training=False) for layer in layers]
    np.testing.assert_array_equal(*inferred)


@pytest.mark.parametrize("shape", [DENSE, CONVOLUTION])
def test_noise_alone_is_that_of_noisy_batch_normalization(shape):
    layer, values = layer_of(("normalization=noise",), shape), random(shape)
    scale, shift = noise(shape)
    close(run(layer, values, True), scale * values + shift)
    np.testing.assert_array_equal(run(layer, values, False), values)
    assert not layer.weights


# Normalizations of one example.


@pytest.mark.parametrize("kind", PER_EXAMPLE)
def test_normalization_of_an_example_follows_its_formula(kind):
    words, shape, num_groups = PER_EXAMPLE[kind]
    layer, values = layer_of(words, shape), random(shape)
    for training in (True, False):
        expected = group_formula(values, *learned(layer), num_groups)
        close(run(layer, values, training), expected)


@pytest.mark.parametrize("kind", PER_EXAMPLE)
def test_normalization_of_an_example_has_the_formulas_gradients(kind):
    words, shape, num_groups = PER_EXAMPLE[kind]
    layer, values, upstream = layer_of(words, shape), random(shape), random(shape, 1)
    gamma, beta = learned(layer)
    dx, dgamma, dbeta = gradients(layer, values, upstream)
    x_hat = group_formula(values, 1.0, 0.0, num_groups)
    axes = tuple(range(values.ndim - 1))
    close(dgamma, (upstream * x_hat).sum(axes))
    close(dbeta, upstream.sum(axes))

    def total(x):
        return (upstream * group_formula(x, gamma, beta, num_groups)).sum()

    close(dx, slopes(total, values), tolerance=1e-6)


@pytest.mark.parametrize("kind", PER_EXAMPLE)
def test_normalization_of_an_example_ignores_the_others(kind):
    words, shape, _ = PER_EXAMPLE[kind]
    layer, values = layer_of(words, shape), random(shape)
    others = np.concatenate([values[:1], random(shape, 3)[1:]])
    for training in (True, False):
        close(run(layer, others, training)[0], run(layer, values, training)[0])


def test_batch_normalization_sees_the_other_examples():
    layer, values = layer_of((), DENSE), random(DENSE)
    others = np.concatenate([values[:1], random(DENSE, 3)[1:]])
    assert np.abs(run(layer, others, True)[0] - run(layer, values, True)[0]).max() > 0.1


@pytest.mark.parametrize("shape", [DENSE, CONVOLUTION])
def test_group_normalization_with_one_group_is_layer_normalization(shape):
    group = layer_of(("normalization=group", f"group_size={shape[-1]}"), shape)
    layer = layer_of(("normalization=layer",), shape)
    np.testing.assert_array_equal(run(group, random(shape), True), run(layer, random(shape), True))


def test_layer_normalization_of_units_is_kerass():
    ours, values = layer_of(("normalization=layer",), DENSE), random(DENSE)
    theirs = keras.layers.LayerNormalization(epsilon=EPSILON)
    theirs.build((None, DENSE[1]))
    copy_weights(theirs, ours)
    close(run(ours, values, True), run(theirs, values, True))


def test_group_normalization_with_a_group_per_map_is_instance_normalization():
    group = layer_of(("normalization=group", "group_size=1"), CONVOLUTION)
    instance = layer_of(("model=inception", "normalization=instance"), CONVOLUTION)
    theirs = keras.layers.GroupNormalization(groups=-1, epsilon=EPSILON)
    theirs.build((None, *CONVOLUTION[1:]))
    copy_weights(theirs, instance)
    values = random(CONVOLUTION)
    np.testing.assert_array_equal(run(group, values, True), run(instance, values, True))
    close(run(instance, values, True), run(theirs, values, True))


@pytest.mark.parametrize(
    ("channels", "at_most", "size"), [(24, 8, 8), (24, 32, 24), (20, 8, 5), (7, 6, 1), (1, 8, 1)]
)
def test_a_group_is_the_largest_divisor_that_is_not_above_what_was_asked(channels, at_most, size):
    assert largest_divisor(channels, at_most) == size


@pytest.mark.parametrize(
    ("size", "shape"), [(1, DENSE), (4, DENSE), (None, (6, 1)), (1, (4, 1, 1, 6))]
)
def test_a_group_of_one_value_is_refused(size, shape):
    with pytest.raises(ConfigError, match="always normalized to 0"):
        GroupNormalization(size).build((None, *shape[1:]))


# Batch renormalization.

RENORM = ("normalization=batch_renorm", "train_steps=160000")


def renorm_at(step, shape, mean=0.7, sigma=2.5):
    """A layer in the middle of its training."""
    layer = layer_of(RENORM, shape)
    layer.step.assign(step)
    layer.moving_mean.assign(np.full(shape[-1], mean))
    layer.moving_sigma.assign(np.full(shape[-1], sigma))
    return layer


@pytest.mark.parametrize("shape", [DENSE, CONVOLUTION])
def test_batch_renormalization_at_its_beginning_is_batch_normalization(shape):
    values, upstream = random(shape), random(shape, 1)
    renorm, batch = layer_of(RENORM, shape), layer_of((), shape)
    batch.gamma.assign(array(renorm.gamma))
    batch.beta.assign(array(renorm.beta))
    close(run(renorm, values, True), run(batch, values, True))
    for ours, theirs in zip(
        gradients(renorm, values, upstream), gradients(batch, values, upstream), strict=True
    ):
        close(ours, theirs)


@pytest.mark.parametrize(
    ("step", "r_max", "d_max"),
    [(0, 1, 0), (5000, 1, 0), (15000, 1 + 2 * 10 / 35, 2.5), (25000, 1 + 2 * 20 / 35, 5)]
    + [(40000, 3, 5), (160000, 3, 5)],
)
def test_the_limits_of_batch_renormalization_rise_as_in_its_paper(step, r_max, d_max):
    values = keras.ops.convert_to_tensor(float(step))
    close([float(x) for x in BatchRenormalization(160_000).limits(values)], [r_max, d_max], 1e-6)
    scaled = keras.ops.convert_to_tensor(step / 160)
    layer = layer_of(("normalization=batch_renorm", "train_steps=1000"), DENSE)
    close([float(x) for x in layer.limits(scaled)], [r_max, d_max], 1e-6)


@pytest.mark.parametrize("step", [15_000, 100_000])
@pytest.mark.parametrize(("mean", "sigma"), [(0.7, 2.5), (-40.0, 0.01)])
def test_batch_renormalization_follows_its_algorithm(step, mean, sigma):
    layer = renorm_at(step, CONVOLUTION, mean, sigma)
    values, upstream = random(CONVOLUTION), random(CONVOLUTION, 1)
    gamma, beta = learned(layer)
    r_max, d_max = (float(x) for x in layer.limits(keras.ops.convert_to_tensor(float(step))))
    axes = (0, 1, 2)
    batch_mean = values.mean(axes)
    batch_sigma = np.sqrt(values.var(axes) + EPSILON)
    r = np.clip(batch_sigma / sigma, 1 / r_max, r_max)
    d = np.clip((batch_mean - mean) / sigma, -d_max, d_max)

    def formula(x):
        x_hat = (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPSILON)
        return gamma * (x_hat * r + d) + beta  # r and d are constants of the gradient

    dx, dgamma, dbeta = gradients(renorm_at(step, CONVOLUTION, mean, sigma), values, upstream)
    close(dx, slopes(lambda x: (upstream * formula(x)).sum(), values), tolerance=1e-5)
    close(dgamma, (upstream * (formula(values) - beta) / gamma).sum(axes), 1e-6)
    close(dbeta, upstream.sum(axes))
    close(run(layer, values, True), formula(values), 1e-6)
    close(layer.moving_mean, mean + ALPHA * (batch_mean - mean))
    close(layer.moving_sigma, sigma + ALPHA * (batch_sigma - sigma))
    assert int(layer.step) == step + 1


def test_batch_renormalization_infers_with_its_moving_averages():
    layer, values = renorm_at(100_000, CONVOLUTION), random(CONVOLUTION)
    gamma, beta = learned(layer)
    close(run(layer, values, False), gamma * (values - 0.7) / 2.5 + beta)


def test_the_averages_of_batch_renormalization_begin_as_a_plain_mean():
    layer = layer_of(RENORM, DENSE)
    batches = [random(DENSE, purpose) for purpose in range(3)]
    for values in batches:
        run(layer, values, True)
    close(layer.moving_mean, np.mean([values.mean(0) for values in batches], axis=0))
    sigmas = [np.sqrt(values.var(0) + EPSILON) for values in batches]
    close(layer.moving_sigma, np.mean(sigmas, axis=0))


# What holds for several.

LP = {name: f"normalization={name}_norm" for name in ("l1", "l2", "linf")}

EVERY = {
    **{f"batch, {kind}": words for kind, (words, _, _) in BATCH.items()},
    "batch_renorm": RENORM,
    **{name: (words,) for name, words in LP.items()},
    "layer": ("normalization=layer",),
    "group": ("normalization=group", "group_size=2"),
    "instance": ("model=inception", "normalization=instance"),
}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kind", EVERY)
def test_equal_inputs_become_exactly_beta(kind, precision):
    use(precision)
    # Numbers that binary fractions hold exactly: 1 / sqrt(epsilon) is 256.
    layer = layer_of((*EVERY[kind], "batch_normalization.epsilon=1.52587890625e-05"), CONVOLUTION)
    layer.gamma.assign(np.full(layer.gamma.shape, 0.5))
    layer.beta.assign(np.full(layer.beta.shape, 0.375))
    outputs = run(layer, np.full(CONVOLUTION, 0.25), training=True)
    np.testing.assert_array_equal(outputs, np.full(CONVOLUTION, 0.375))


@pytest.mark.parametrize("kind", EVERY)
def test_nothing_is_updated_at_inference(kind):
    layer = layer_of(EVERY[kind], CONVOLUTION)
    before = [array(variable) for variable in layer.variables]
    run(layer, random(CONVOLUTION), training=False)
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(array(variable), value)


@PRECISIONS
@pytest.mark.parametrize("kind", EVERY)
def test_gamma_and_beta_can_be_left_out(kind, precision, tolerance):
    use(precision)
    off = ("batch_normalization.gamma=false", "batch_normalization.beta=false")
    layer, plain = layer_of((*EVERY[kind], *off), CONVOLUTION), layer_of(EVERY[kind], CONVOLUTION)
    assert layer.trainable_variables == []
    plain.gamma.assign(np.ones(plain.gamma.shape))
    plain.beta.assign(np.zeros(plain.beta.shape))
    values = random(CONVOLUTION)
    close(run(layer, values, True), run(plain, values, True), tolerance)
    close(run(layer, values, False), run(plain, values, False), tolerance)


@pytest.mark.parametrize("kind", EVERY)
def test_a_layers_config_makes_the_same_layer(kind):
    layer, values = layer_of(EVERY[kind], CONVOLUTION), random(CONVOLUTION)
    config = layer.get_config()
    copy = type(layer).from_config(config)
    assert copy.get_config() == config
    copy.build((None, *CONVOLUTION[1:]))
    copy_weights(copy, layer)
    np.testing.assert_array_equal(run(copy, values, True), run(layer, values, True))


@pytest.mark.parametrize("kind", EVERY)
def test_statistics_are_not_computed_in_half_precision(kind):
    use("mixed_bfloat16")
    shape = (16, 16, 16, 4)
    values = np.random.default_rng(0).integers(0, 256, shape).astype("float32")  # exact in bfloat16
    half = layer_of(EVERY[kind], shape)
    outputs = run(half, keras.ops.cast(values, "bfloat16"), training=True)
    assert str(outputs.dtype) == "bfloat16"
    use("float32")
    single = layer_of(EVERY[kind], shape)
    expected = run(single, values, training=True)
    np.testing.assert_allclose(outputs.astype("float32"), expected, rtol=2**-7, atol=2**-7)
    for ours, theirs in zip(
        half.non_trainable_variables, single.non_trainable_variables, strict=True
    ):
        close(array(ours), array(theirs), 1e-5)


def test_every_normalization_of_the_config_can_be_made():
    for name in NORMALIZATIONS:
        config = compose(["model=inception", f"normalization={name}"]).config
        layer = normalization.constructor(config)("named")
        assert isinstance(layer, keras.layers.Layer) and layer.name == "named"


def test_a_constructor_makes_a_fresh_layer_each_time():
    make = normalization.constructor(compose([]).config)
    assert make("first") is not make("first")


def test_there_is_no_constructor_without_normalization():
    assert normalization.constructor(compose(["bn=none"]).config) is None


# Section 3.3: the scale of the weights.


@pytest.mark.parametrize("statistics", ["batch", "layer", "batch_renorm"])
def test_the_scale_of_the_weights_does_not_matter(statistics):
    """BN((aW)u) = BN(Wu); the gradient by u stays, the gradient by the weights is 1/a of it."""
    words = (f"normalization={statistics}", "batch_normalization.epsilon=1e-30")
    inputs, upstream, scale = random((8, 4)), random((8, 5), 1), 7.0
    kernel = random((4, 5), 2)
    results = {}
    for factor in (1.0, scale):
        layer = layer_of(words, (8, 5))
        outputs = run(layer, inputs @ (factor * kernel), True)
        by_product = gradients(layer_of(words, (8, 5)), inputs @ (factor * kernel), upstream)[0]
        results[factor] = outputs, by_product @ (factor * kernel).T, inputs.T @ by_product
    close(results[scale][0], results[1.0][0])
    close(results[scale][1], results[1.0][1])
    close(results[scale][2], results[1.0][2] / scale)


@pytest.mark.parametrize("kind", BATCH)
def test_a_bias_before_batch_normalization_is_redundant(kind):
    words, shape, axes = BATCH[kind]
    bias = random(shape[-1:] if len(axes) > 1 or len(shape) == 2 else shape[1:], 5)
    values, upstream = random(shape), random(shape, 1)
    without, biased = (run(layer_of(words, shape), x, True) for x in (values, values + bias))
    close(biased, without)
    by_bias = gradients(layer_of(words, shape), values + bias, upstream)[0].sum(axes)
    close(by_bias, 0)


# Mean-only batch normalization.

MEAN_ONLY = ("normalization=mean_only", "batch_normalization.momentum=0.8")


@PRECISIONS
@pytest.mark.parametrize("shape", [DENSE, CONVOLUTION])
def test_mean_only_takes_the_mean_from_values_and_from_gradients(shape, precision, tolerance):
    """By its formula, with the backward pass that follows from it."""
    use(precision)
    layer, values, upstream = layer_of(MEAN_ONLY, shape), random(shape), random(shape, 1)
    (beta,) = map(array, layer.trainable_variables)
    axes = tuple(range(len(shape) - 1))
    close(run(layer, values, True), values - values.mean(axes) + beta, tolerance)
    by_inputs, by_beta = gradients(layer_of(MEAN_ONLY, shape), values, upstream)
    close(by_inputs, upstream - upstream.mean(axes), tolerance)
    close(by_beta, upstream.sum(axes), tolerance)


@pytest.mark.parametrize("shape", [DENSE, CONVOLUTION])
def test_mean_only_infers_with_its_moving_mean(shape):
    layer, values, axes = layer_of(MEAN_ONLY, shape), random(shape), tuple(range(len(shape) - 1))
    run(layer, values, True)
    close(layer.moving_mean, 0.2 * values.mean(axes))
    layer.moving_variance.assign(np.full(shape[-1], 7.0))
    fresh = random(shape, 2)
    expected = fresh - 0.2 * values.mean(axes) + array(layer.beta)
    close(run(layer, fresh, False), expected)
    close(layer.moving_mean, 0.2 * values.mean(axes))


# Normalization by l_p norms.

LP_SHAPES = pytest.mark.parametrize("shape", [DENSE, CONVOLUTION])


def size_of(name, values):
    """s_p of each feature map, and its derivative by the values."""
    axes = tuple(range(values.ndim - 1))
    count = values.size / values.shape[-1]
    if name == "l1":
        return np.abs(values).mean(axes), np.sign(values) / count
    if name == "l2":
        size = np.sqrt((values**2).mean(axes))
        return size, values / (count * size)
    size = np.abs(values).max(axes)
    return size, np.where(np.abs(values) == size, np.sign(values), 0)


@PRECISIONS
@pytest.mark.parametrize("name", LP)
@LP_SHAPES
def test_lp_normalization_follows_its_formula_and_gradients(shape, name, precision, tolerance):
    """y = gamma (x - mean) / sqrt(s^2 + epsilon) + beta, differentiated by hand."""
    use(precision)
    layer, values, upstream = layer_of((LP[name],), shape), random(shape), random(shape, 1)
    (gamma, beta), axes = learned(layer), tuple(range(values.ndim - 1))
    size, by_values = size_of(name, values)
    root = np.sqrt(size**2 + EPSILON)
    x_hat = (values - values.mean(axes)) / root
    close(run(layer, values, True), gamma * x_hat + beta, tolerance)
    dx, dgamma, dbeta = gradients(layer_of((LP[name],), shape), values, upstream)
    dx_hat = gamma * upstream
    through_size = -(dx_hat * x_hat).sum(axes) * size / root**2 * by_values
    close(dx, (dx_hat - dx_hat.mean(axes)) / root + through_size, tolerance)
    close(dgamma, (upstream * x_hat).sum(axes), tolerance)
    close(dbeta, upstream.sum(axes), tolerance)


@pytest.mark.parametrize("name", LP)
@LP_SHAPES
def test_lp_normalization_infers_with_its_moving_averages(shape, name):
    words = (LP[name], "batch_normalization.momentum=0.8")
    layer, values, fresh = layer_of(words, shape), random(shape), random(shape, 2)
    (gamma, beta), axes = learned(layer), tuple(range(values.ndim - 1))
    run(layer, values, True)
    mean, size = 0.2 * values.mean(axes), 0.8 + 0.2 * size_of(name, values)[0]
    expected = gamma * (fresh - mean) / np.sqrt(size**2 + EPSILON) + beta
    close(run(layer, fresh, False), expected)
    close(layer.moving_mean, mean)
    close(layer.moving_norm, size)


@LP_SHAPES
def test_l2_normalization_of_values_of_mean_zero_is_batch_normalization(shape):
    """Outputs and gradients; only the other norms are something else there."""
    axes = tuple(range(len(shape) - 1))
    values, upstream = random(shape), random(shape, 1)
    values = values - values.mean(axes)
    batch, *others = (layer_of(words, shape) for words in ((), *((word,) for word in LP.values())))
    outputs = run(batch, values, True)
    by_inputs = gradients(batch, values, upstream)
    for name, layer in zip(LP, others, strict=True):
        is_same = np.allclose(run(layer, values, True), outputs, rtol=1e-9)
        assert is_same == (name == "l2")
    for received, expected in zip(gradients(others[1], values, upstream), by_inputs, strict=True):
        close(received, expected)


@pytest.mark.parametrize("name", LP)
def test_the_size_of_lp_normalization_is_taken_before_the_mean_is(name):
    """A shift changes the outputs, by one factor; the scale of the inputs does not."""
    words = (LP[name], "batch_normalization.epsilon=1e-30", "batch_normalization.beta=false")
    values = np.abs(random(DENSE)) + 1
    outputs, scaled, shifted = (
        run(layer_of(words, DENSE), each, True) for each in (values, 7 * values, values + 3)
    )
    close(scaled, outputs)
    ratio = shifted / outputs
    close(ratio, ratio[:1].repeat(len(ratio), 0))
    assert ratio.max() < 0.9


# Ghost batches: parts of a mini-batch with statistics of their own.

CONVOLUTION_OF_12 = (12, 3, 2, 6)
GHOST = {"dense": (12, 5), "convolution": CONVOLUTION_OF_12}


def ghost_words(size, *others):
    return (f"batch_normalization.statistics_batch={size}", "batch_size=12", *others)


def parts_of(values, size):
    return np.split(values, len(values) // size)


@pytest.mark.parametrize("shape", GHOST.values(), ids=GHOST)
def test_ghost_batches_are_batch_normalization_of_each_part(shape):
    """Outputs and gradients by the inputs part by part, gradients by gamma and beta summed."""
    values, upstream = random(shape), random(shape, 1)
    ghost, whole = layer_of(ghost_words(4), shape), layer_of((), shape)
    each = [run(layer_of((), shape), part, True) for part in parts_of(values, 4)]
    close(run(ghost, values, True), np.concatenate(each))
    axes = tuple(range(1, len(shape) - 1))
    by_hand = [algorithm_1(part, *learned(whole), (0, *axes)) for part in parts_of(values, 4)]
    close(run(ghost, values, True), np.concatenate(by_hand))
    by_part = [
        gradients(layer_of((), shape), *pair)
        for pair in zip(parts_of(values, 4), parts_of(upstream, 4), strict=True)
    ]
    by_inputs, *by_weights = gradients(ghost, values, upstream)
    close(by_inputs, np.concatenate([part[0] for part in by_part]))
    for position, gradient in enumerate(by_weights, start=1):
        close(gradient, sum(part[position] for part in by_part))


@pytest.mark.parametrize("shape", GHOST.values(), ids=GHOST)
def test_moving_averages_take_the_mean_over_ghost_batches(shape):
    values, axes = random(shape), tuple(range(len(shape) - 1))
    layer = layer_of(ghost_words(3), shape)
    run(layer, values, True)
    means, variances = (
        np.mean([getattr(part, name)(axes) for part in parts_of(values, 3)], axis=0)
        for name in ("mean", "var")
    )
    close(layer.moving_mean, 0.1 * means)
    close(layer.moving_variance, 0.9 + 0.1 * variances)
    before = array(layer.moving_mean)
    inference = run(layer, values, False)
    close(layer.moving_mean, before)
    plain = layer_of((), shape)
    copy_weights(plain, layer)
    close(inference, run(plain, values, False))


@pytest.mark.parametrize("shape", GHOST.values(), ids=GHOST)
def test_one_ghost_batch_is_batch_normalization(shape):
    values, upstream = random(shape), random(shape, 1)
    ghost, plain = layer_of(ghost_words(12), shape), layer_of((), shape)
    for one, other in zip(
        gradients(ghost, values, upstream), gradients(plain, values, upstream), strict=True
    ):
        close(one, other)
    close(run(ghost, values, True), run(plain, values, True))
    close(ghost.moving_variance, array(plain.moving_variance))


def test_population_statistics_of_ghost_batches_are_of_each_part():
    values = random(CONVOLUTION_OF_12)
    layer = layer_of(ghost_words(4), CONVOLUTION_OF_12)
    [(mean, variance)] = batch_moments([layer], [keras.ops.convert_to_tensor(values)])
    close(mean, values.mean((0, 1, 2)))
    each = [part.var((0, 1, 2), ddof=1) for part in parts_of(values, 4)]
    close(variance, np.mean(each, axis=0))


def test_what_is_differentiated_twice_has_ghost_batches_too():
    values = random(CONVOLUTION_OF_12)
    layer = layer_of(ghost_words(4), CONVOLUTION_OF_12)
    twice = TwiceDifferentiable(layer)
    for training in (False, True):
        close(run(twice, values, training), run(layer, values, training))


def test_a_batch_that_cannot_be_cut_into_ghost_batches_is_refused():
    layer = layer_of(ghost_words(4), GHOST["dense"])
    with pytest.raises(ValueError, match="a batch of 10: expected a multiple of statistics_batch"):
        run(layer, random((10, 5)), True)
    assert np.isfinite(run(layer, random((10, 5)), False)).all()


# The noise of ghost batches, without the others in them.

NOISY_STATISTICS = ("normalization=noisy_statistics", "batch_size=1024")
WIDE = (1024, 400)


def noise_of(size, values):
    """(d, s) of each part and unit, (parts, units), from what comes out for what goes in."""
    layer = layer_of(
        (f"batch_normalization.statistics_batch={size}", *NOISY_STATISTICS), values.shape
    )
    standardized = (values - values.mean(0)) / np.sqrt(values.var(0) + 1e-5)
    gamma, beta = learned(layer)
    outputs = (run(layer, values, True) - beta) / gamma
    ends = [
        (part[0], part[-1], out[0], out[-1])
        for part, out in zip(parts_of(standardized, size), parts_of(outputs, size), strict=True)
    ]
    first, last, first_out, last_out = map(np.array, zip(*ends, strict=True))
    scale = (first - last) / (first_out - last_out)
    shift = first - first_out * scale
    each = [np.stack(parts_of(one, size), 1) for one in (standardized, outputs)]
    close((each[0] - shift) / scale, each[1], 1e-4)
    return shift, scale, layer


@pytest.mark.parametrize("size", [8, 32])
def test_noisy_statistics_are_as_noisy_as_those_of_parts(size):
    """As the law says, and as parts of normal values really are."""
    values = random(WIDE)
    shift, scale, layer = noise_of(size, values)
    share, kept = 1 / size - 1 / 1024, (1 - 1 / size) / (1 - 1 / 1024)
    assert abs(shift.mean()) < 4 * np.sqrt(share / shift.size)
    assert shift.var() == pytest.approx(share, rel=0.05)
    assert np.log(scale).var() == pytest.approx(share / 2, rel=0.05)
    assert np.square(scale).mean() == pytest.approx(kept, rel=0.02)
    parts = np.array(parts_of(values, size))
    deviations = parts.std(1) / values.std(0)
    assert (parts.mean(1) / values.std(0)).var() == pytest.approx(shift.var(), rel=0.05)
    # The law is of the first order in 1 / size.
    assert deviations.var() == pytest.approx(scale.var(), rel=2 / size)
    close(layer.moving_mean, 0.1 * (values.mean(0) + values.std(0) * shift.mean(0)), 1e-4)
    expected = 0.9 + 0.1 * values.var(0) * np.square(scale).mean(0)
    close(layer.moving_variance, expected, 1e-4)


def test_the_noise_is_drawn_anew_and_is_none_at_inference_or_of_a_whole_batch():
    values = random((12, 5))
    words = ("normalization=noisy_statistics", "batch_size=12")
    parts = layer_of(("batch_normalization.statistics_batch=4", *words), (12, 5))
    first, second = (run(parts, values, True) for _ in range(2))
    assert np.abs(first - second).max() > 0.01
    plain = layer_of((), (12, 5))
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        getattr(plain, name).assign(array(getattr(parts, name)))
    close(run(parts, values, False), run(plain, values, False))
    for size in ("12", "null"):
        whole = layer_of((f"batch_normalization.statistics_batch={size}", *words), (12, 5))
        close(run(whole, values, True), run(layer_of((), (12, 5)), values, True))


# Algorithm 2.


@pytest.mark.parametrize("kind", BATCH)
def test_population_statistics_carry_m_over_m_minus_1(kind):
    words, shape, axes = BATCH[kind]
    layer, values = layer_of(words, shape), random(shape)
    [(mean, variance)] = batch_moments([layer], [keras.ops.convert_to_tensor(values)])
    close(np.reshape(mean, values.mean(axes).shape), values.mean(axes))
    close(np.reshape(variance, values.var(axes).shape), values.var(axes, ddof=1))
    assert np.shape(mean) == layer.moving_mean.shape == np.shape(variance)


def test_population_statistics_turn_the_layer_into_step_11_of_algorithm_2():
    layer = layer_of((), DENSE)
    batches = [random(DENSE, purpose) for purpose in range(4)]
    terms = [batch_moments([layer], [keras.ops.convert_to_tensor(x)])[0] for x in batches]
    mean = np.mean([np.asarray(term[0]) for term in terms], axis=0)
    variance = np.mean([np.asarray(term[1]) for term in terms], axis=0)
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    expected_mean = np.mean([x.mean(0) for x in batches], axis=0)
    expected_variance = 6 / 5 * np.mean([x.var(0) for x in batches], axis=0)
    gamma, beta = learned(layer)
    factor = gamma / np.sqrt(expected_variance + EPSILON)
    values = random(DENSE, 9)
    close(run(layer, values, False), factor * values + (beta - factor * expected_mean))


def test_the_layers_of_ours_say_what_they_are():
    layer = layer_of(("batch_normalization.statistics=per_activation",), CONVOLUTION)
    assert isinstance(layer, PerActivationBatchNormalization)
    assert isinstance(layer_of(("normalization=layer",), DENSE), GroupNormalization)
