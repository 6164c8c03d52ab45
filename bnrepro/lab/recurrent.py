"""Normalization in a recurrent network: of its input connections, or of the recurrent ones too.

The rows of MNIST's images go through a long short-term memory. Laurent et al. 2015 (arXiv
1510.01378) found that batch normalization of the input connections trains faster and does not
generalize better, and that of the recurrent ones it does not help. Cooijmans et al. 2016 (arXiv
1603.09025) found that it does, with statistics of each step and gammas that begin at 0.1, which is
how the recurrent connections are normalized here. Layer normalization (Ba et al. 2016, arXiv
1607.06450) needs no statistics of steps.

Each network has the best of four rates: that at which a third of the steps lead to the highest
accuracy on held-out training images, over two seeds that are judged by nothing else. No network
trains on those images. Trials on the digits chose the four.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro import data
from bnrepro.config import Recipe
from bnrepro.data import Split
from bnrepro.engine import Engine
from bnrepro.lab import grid
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import GPU, PUBLISHED_SCALE, SMOKE

QUESTION = (
    "Does a recurrent network train faster, and end better, with batch normalization of its input "
    "connections, of its recurrent ones too, or with layer normalization?"
)

NETWORKS = {
    "none": ("bn=none",),
    "input": ("model.normalize=input",),
    "both": ("model.normalize=both",),
    "layer": ("model.normalize=both", "normalization=layer"),
}
RATES = (0.03, 0.1, 0.3, 1.0)
# Networks of one program: more do not make a step of each cheaper.
_BLOCK = 2
_COMMON = (
    "model=lstm", "model.width=0.32", "optimizer=momentum", "batch_size=60",
    "data.evaluation_split=tuning",
)  # fmt: skip
# The mini-batches of a mean loss, and the parts of a training between two looks at test images.
MEAN_OVER = 20
_OBSERVATIONS = 9
# As many test images are looked at meanwhile, and all of them at the end.
_FEWER_IMAGES = 2000
# Mini-batches of Algorithm 2's statistics.
_STATISTICS = 20


class Setting(NamedTuple):
    """What is trained at a scale of the laboratory; rates are tried on a third of the steps."""

    seeds: Sequence[int]
    seeds_of_rates: Sequence[int]
    steps: int
    words: Sequence[str]


SETTINGS = {
    PUBLISHED_SCALE: Setting((0, 1, 2, 3, 4, 5), (100, 101), 720, ("data=mnist",)),
    SMOKE: Setting((0, 1), (100,), 180, ("data=digits",)),
    GPU: Setting((0, 1, 2, 3, 4, 5), (100, 101), 7200, ("data=mnist", "model.width=1")),
}


class Shared(NamedTuple):
    """What all networks share."""

    data: str
    width: float
    train_steps: int
    batch_size: int | str


class Tried(NamedTuple):
    """A rate after a third of the steps: accuracy on held-out images, loss in mini-batches."""

    network: str
    rate: float
    seed: int
    accuracy: float
    train_loss: float


class Course(NamedTuple):
    """A network at a step: the mean loss of the mini-batches before it, and test accuracy.

    The accuracy is that of inference on the first test images, nan where nobody looked.
    """

    network: str
    seed: int
    step: int
    train_loss: float
    accuracy: float


class End(NamedTuple):
    """A network after its training; accuracies are on all test images.

    `population` is with Algorithm 2's statistics, for batch normalization alone.
    """

    network: str
    rate: float
    seed: int
    train_accuracy: float  # in mini-batches, over the last tenth of the steps
    accuracy: float
    population: float
    diverged_at: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `rates.csv`, `courses.csv`, `ends.csv` and `setting.csv` in `folder`."""
    setting = SETTINGS[scale]
    tried: list[Tried] = []
    courses: list[Course] = []
    ends: list[End] = []
    for network in NETWORKS:
        rates = [
            _recipe(setting, network, rate, seed, setting.steps // 3)
            for rate in RATES
            for seed in setting.seeds_of_rates
        ]
        program = grid.Program()
        own = [_tried(network, each) for each in _trained(program, rates)]
        rate = best_rate(own)
        recipes = [_recipe(setting, network, rate, seed, setting.steps) for seed in setting.seeds]
        for course, end in _courses(program, network, recipes):
            courses += course
            ends.append(end)
        tried += own
    write_table(folder / "rates.csv", Tried._fields, tried)
    write_table(folder / "courses.csv", Course._fields, courses)
    write_table(folder / "ends.csv", End._fields, ends)
    write_table(folder / "setting.csv", Shared._fields, [_shared(setting)])


def _shared(setting: Setting) -> Shared:
    config = grid.recipe(*_COMMON, *setting.words)
    return Shared(config.data.name, config.model.width, setting.steps, config.batch_size)


def best_rate(tried: Sequence[Tried]) -> float:
    """The rate of the highest mean accuracy; one at which a network diverged counts as none."""

    def mean(rate: float) -> float:
        each = [row.accuracy for row in tried if row.rate == rate]
        return float(np.nan_to_num(each).mean())

    return max(sorted({row.rate for row in tried}), key=mean)


def _recipe(setting: Setting, network: str, rate: float, seed: int, steps: int) -> Recipe:
    return grid.recipe(
        *_COMMON,
        *setting.words,
        *NETWORKS[network],
        f"learning_rate={rate}",
        f"seed={seed}",
        f"train_steps={steps}",
    )


def _tried(network: str, trained: grid.Trained) -> Tried:
    config = trained.config
    return Tried(network, config.learning_rate, config.seed, trained.score()[1], trained.last_loss)


def _trained(
    program: grid.Program,
    recipes: Sequence[Recipe],
    observe: Callable[[Engine], float] | None = None,
    observed_at: Sequence[int] = (),
) -> Iterator[grid.Trained]:
    for start in range(0, len(recipes), _BLOCK):
        yield from program.train(recipes[start : start + _BLOCK], observe, observed_at)


def _courses(
    program: grid.Program, network: str, recipes: Sequence[Recipe]
) -> Iterator[tuple[list[Course], End]]:
    """The course and the end of each network."""
    test = _test_images(recipes[0])
    fewer = test.take(np.arange(min(_FEWER_IMAGES, len(test.labels))))

    def observe(engine: Engine) -> float:
        return engine.score(fewer)[1]

    steps = recipes[0].train_steps
    looked_at = [steps * part // _OBSERVATIONS for part in range(_OBSERVATIONS + 1)]
    for trained in _trained(program, recipes, observe, looked_at):
        yield _course(network, trained), _end(network, trained, test)


def _test_images(config: Recipe) -> Split:
    """Those of the data set itself, since `config` looks at held-out training images."""
    return data.load(replace(config.data, evaluation_split="test")).evaluation


def _course(network: str, trained: grid.Trained) -> list[Course]:
    """A row for as many mini-batches as a mean is over, up to where the network diverged."""
    seed, nan = trained.config.seed, float("nan")
    ends = range(MEAN_OVER, len(trained.losses) + 1, MEAN_OVER)
    means = {end: float(trained.losses[end - MEAN_OVER : end].mean()) for end in ends}
    return [
        Course(network, seed, step, means.get(step, nan), trained.seen.get(step, nan))
        for step in sorted({*means, *trained.seen})
    ]


def _end(network: str, trained: grid.Trained, test: Split) -> End:
    config, nan = trained.config, float("nan")
    start = (network, config.learning_rate, config.seed)
    if trained.diverged_at is not None:
        return End(*start, nan, nan, nan, float(trained.diverged_at))
    accuracy = trained.engine.score(test)[1]
    return End(*start, trained.last_accuracy, accuracy, _population(trained.engine, test), nan)


def _population(engine: Engine, test: Split) -> float:
    """The test accuracy with Algorithm 2's statistics; nan where nothing needs them."""
    if not engine.network.batch_normalizations:
        return float("nan")
    with engine.inferring_with(engine.population_statistics(_STATISTICS)):
        return engine.score(test)[1]
