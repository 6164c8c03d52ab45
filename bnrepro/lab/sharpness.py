"""B3: how sharp solutions of small and large mini-batches look, along two kinds of directions.

Li et al. 2018 (https://arxiv.org/abs/1712.09913), section 3: between a solution of small and one of
large mini-batches the former looks wide, unless weight decay has shrunk its weights; then the
picture flips. Along filter-normalized directions, which are as long as the weights, it is the
flatter one either way.

The small cnn with batch normalization, by momentum and a rate that falls to a hundredth. Both see
as many training images, in the same number of epochs, each at the best of five rates, by images
held out and without decay, on seeds of its own. Weight decay is L2 of the kernels in the loss:
`l2` is half the decay, whose gradient is decay times the weights; biases, gammas and betas are
spared. Theirs is of all parameters, and rates are theirs.

Large mini-batches do not come as far in as many images, and where the loss is larger, a surface is
another one for that reason too. So there is a third network, `short`: of small mini-batches, and
stopped, its rate fallen as in the others, after the share of the images that gave it the training
loss of the large ones, nearest in ratio on the same seeds of their own.

Theirs are 50,000 images of CIFAR-10, mini-batches of 128 and 8192 and 300 epochs. Here the images
are the digits of 8 x 8: what a processor makes in minutes; a pilot on the seeds that choose found
100 epochs to bring all training losses below 0.002. All networks of a seed are looked at in one
engine: on the same images, with statistics over all training images, and the same noise in their
directions.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.composition import Composition, compose
from bnrepro.data import Split
from bnrepro.engine import Engine, build_probe
from bnrepro.engine.probe import Probe
from bnrepro.engine.segment import Arrays
from bnrepro.engine.surface import Surroundings, scores_between, solution
from bnrepro.lab.little_data import best, left_out, with_population
from bnrepro.lab.setting import begin
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = "Is a solution of small mini-batches flatter than one of large ones, and who says so?"

SMALL, LARGE, SHORT = "small", "large", "short"
DECAYS = (0.0, 5e-4)
_COMMON = (
    *("model=cnn", "bn=x1", "optimizer=momentum", "schedule=cosine", "schedule.decay_rate=0.01"),
    "threads=1",
)
# `population` computes statistics anew at each point; the authors' are the moving averages.
_MODES = ("population", "frozen")
_BINS = 60


@dataclass(frozen=True)
class Setting:
    """How much is computed.

    Each training sees `seen` images, those of several epochs; `batches` are their sizes by kind;
    `shares` those of the images, at one of which `short` stops; `points` of a line from -1 to 1,
    and of the way between two solutions from -0.5 to 1.5.
    """

    seeds: Sequence[int]
    choosing_seeds: Sequence[int]
    data: Sequence[str]
    width: float
    seen: int
    batches: Mapping[str, int]
    rates: Sequence[float]
    shares: Sequence[float]
    directions: int
    points: int
    points_between: int
    examples: int
    statistics_batches: int


SETTINGS = {
    PUBLISHED_SCALE: Setting(
        seeds=(0, 1, 2, 3, 4, 5),
        choosing_seeds=(100, 101),
        data=("data=digits", "data.train_examples=1024"),
        width=0.5,
        seen=102_400,
        batches={SMALL: 32, LARGE: 512},
        rates=(0.01, 0.03, 0.1, 0.3, 1.0),
        shares=(0.05, 0.1, 0.2, 0.4),
        directions=2,
        points=17,
        points_between=33,
        examples=512,
        statistics_batches=2,
    ),
    SMOKE: Setting(
        seeds=(0, 1),
        choosing_seeds=(100,),
        data=("data=digits", "data.train_examples=512"),
        width=0.25,
        seen=2_560,
        batches={SMALL: 16, LARGE: 128},
        rates=(0.03, 0.1),
        shares=(0.2, 0.5),
        directions=1,
        points=5,
        points_between=9,
        examples=128,
        statistics_batches=4,
    ),
}


class Tried(NamedTuple):
    """One network that chose a rate, by its accuracy on the images held out."""

    kind: str
    rate: float
    seed: int
    held_out_accuracy: float


class Shortened(NamedTuple):
    """One network of small mini-batches that saw a share of the images, beside the large one's."""

    decay: float
    share: float
    seed: int
    train_loss: float
    large_train_loss: float


class Trained(NamedTuple):
    """A network after its training, with Algorithm 2's statistics; nan if it diverged.

    `length` is the Euclidean one of all kernels, `distance` from that of the same seed and decay
    with small mini-batches.
    """

    kind: str
    decay: float
    seed: int
    rate: float
    steps: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    length: float
    distance: float


class LinePoint(NamedTuple):
    """The loss on the fixed training images at one length along one direction."""

    kind: str
    decay: float
    seed: int
    direction: int
    mode: str
    length: float
    loss: float


class PointBetween(NamedTuple):
    """The same and the accuracy on the line from a solution, `kind` (0), to the large one's (1)."""

    kind: str
    decay: float
    seed: int
    mode: str
    share: float
    loss: float
    accuracy: float


class Bin(NamedTuple):
    """The share of all kernels' weights from `low` to `high`; of the first seed."""

    kind: str
    decay: float
    low: float
    high: float
    share: float


class Ending(NamedTuple):
    """Where a training ended: weights with moving averages, and what is known of it."""

    state: Arrays
    trained: Trained


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave what chose (`rates.csv`, `shares.csv`), `networks.csv`, `lines.csv`, `between.csv`,
    `weights.csv` and `setting.csv` in `folder`."""
    setting = SETTINGS[scale]
    training = Training(setting)
    tried = [row for kind in setting.batches for row in _tried(training, kind)]
    rates = {kind: best_rate([row for row in tried if row.kind == kind]) for kind in (SMALL, LARGE)}
    shortened = [row for decay in DECAYS for row in _shortened(training, rates, decay)]
    endings = _endings(training, rates, shortened)
    lines, between = _around(setting, endings)
    write_table(folder / "rates.csv", Tried._fields, tried)
    write_table(folder / "shares.csv", Shortened._fields, shortened)
    write_table(folder / "networks.csv", Trained._fields, [each.trained for each in endings])
    write_table(folder / "lines.csv", LinePoint._fields, lines)
    write_table(folder / "between.csv", PointBetween._fields, between)
    write_table(folder / "weights.csv", Bin._fields, _histograms(setting, endings))
    _write_setting(folder, training)


class Training:
    """Trains the networks of a setting, with one engine for each mini-batch and decay."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self._engines: dict[tuple[str, float], tuple[Engine, Arrays]] = {}

    def ending(self, kind: str, decay: float, rate: float, seed: int, share: float = 1.0) -> Engine:
        """An engine at the end of that training, over a share of the images; until the next one."""
        composition = self.composition(kind, decay, rate, seed, share)
        if (kind, decay) not in self._engines:
            fresh = build_engine(composition)
            self._engines[kind, decay] = fresh, fresh.variables()
        engine, initial = self._engines[kind, decay]
        begin(engine, composition, initial)
        steps = composition.config.train_steps
        for start in range(0, steps, engine.segment_steps):
            segment = engine.train(start, min(start + engine.segment_steps, steps))
            if segment.diverged_at_step is not None:
                break
        return engine

    def composition(
        self, kind: str, decay: float, rate: float, seed: int, share: float = 1.0
    ) -> Composition:
        """What trains it: with `l2` half the decay."""
        setting = self.setting
        steps = round(share * setting.seen / setting.batches[kind])
        return compose(
            [
                *_COMMON,
                *setting.data,
                f"model.width={setting.width}",
                f"batch_size={setting.batches[kind]}",
                f"l2={decay / 2}",
                f"learning_rate={rate}",
                f"seed={seed}",
                f"train_steps={steps}",
                f"schedule.decay_steps={steps}",
            ]
        )


def best_rate(tried: Sequence[Tried]) -> float:
    """The rate of the best accuracies."""
    return best((one.rate, one.held_out_accuracy) for one in tried)


def best_share(shortened: Sequence[Shortened], decay: float) -> float:
    """The share whose training losses are nearest to the large ones', by the sum of |log ratio|."""
    sums: dict[float, float] = {}
    for one in shortened:
        if one.decay == decay:
            ratio = abs(math.log(one.train_loss / one.large_train_loss))
            sums[one.share] = sums.get(one.share, 0) + (math.inf if math.isnan(ratio) else ratio)
    return min(sums, key=lambda share: (sums[share], share))


def _tried(training: Training, kind: str) -> Iterator[Tried]:
    setting = training.setting
    held_out = left_out(*setting.data)
    for rate, seed in product(setting.rates, setting.choosing_seeds):
        engine = training.ending(kind, DECAYS[0], rate, seed)
        statistics = engine.population_statistics(engine.order.steps_per_epoch)
        with engine.inferring_with(statistics):
            accuracy = engine.score(held_out)[1]
        yield Tried(kind, rate, seed, 0.0 if math.isnan(accuracy) else accuracy)


def _shortened(training: Training, rates: Mapping[str, float], decay: float) -> Iterator[Shortened]:
    setting = training.setting
    for seed in setting.choosing_seeds:
        large = _train_loss(training.ending(LARGE, decay, rates[LARGE], seed))
        for share in setting.shares:
            short = _train_loss(training.ending(SMALL, decay, rates[SMALL], seed, share))
            yield Shortened(decay, share, seed, short, large)


def _train_loss(engine: Engine) -> float:
    return with_population(engine)[3]


def _endings(
    training: Training, rates: Mapping[str, float], shortened: Sequence[Shortened]
) -> list[Ending]:
    """Of every decay and seed: small, large and short."""
    endings = []
    for decay, seed in product(DECAYS, training.setting.seeds):
        trained = [
            (kind, training.ending(kind, decay, rates[kind], seed)) for kind in (SMALL, LARGE)
        ]
        ends = {kind: _ending(engine, kind, decay) for kind, engine in trained}
        share = best_share(shortened, decay)
        short = training.ending(SMALL, decay, rates[SMALL], seed, share)
        ends[SHORT] = _ending(short, SHORT, decay)
        endings += [_beside(ends[SMALL], each) for each in ends.values()]
    return endings


def _ending(engine: Engine, kind: str, decay: float) -> Ending:
    """Where an engine stands; its distance is not known yet."""
    state, config = solution(engine), engine.config
    accuracy, loss, train_accuracy, train_loss = with_population(engine)
    scores = (train_loss, train_accuracy, loss, accuracy)
    of_training = (kind, decay, config.seed, config.learning_rate, config.train_steps)
    length = float(np.linalg.norm(kernels(state)))
    return Ending(state, Trained(*of_training, *scores, length, math.nan))


def _beside(small: Ending, other: Ending) -> Ending:
    distance = float(np.linalg.norm(kernels(other.state) - kernels(small.state)))
    return other._replace(trained=other.trained._replace(distance=distance))


def kernels(state: Arrays) -> np.ndarray:
    """All kernels' weights, (size,)."""
    return np.concatenate(
        [value.ravel() for path, value in state.items() if path.endswith("kernel")]
    )


def _around(
    setting: Setting, endings: Sequence[Ending]
) -> tuple[list[LinePoint], list[PointBetween]]:
    """What lies around and between the solutions, asked of one engine that stands at each."""
    training = Training(setting)
    ends = {(one.trained.kind, one.trained.decay, one.trained.seed): one for one in endings}
    engine = build_engine(training.composition(LARGE, DECAYS[0], 1.0, setting.seeds[0]))
    probe, initial = build_probe(engine, setting.statistics_batches), engine.variables()
    lines: list[LinePoint] = []
    between: list[PointBetween] = []
    for decay, seed in product(DECAYS, setting.seeds):
        begin(engine, training.composition(LARGE, decay, 1.0, seed), initial)
        for kind in (SMALL, LARGE, SHORT):
            engine.assign(ends[kind, decay, seed].state)
            lines += _lines(setting, ends[kind, decay, seed].trained, engine, probe)
        images, large = _images(setting, engine, probe), ends[LARGE, decay, seed].state
        for kind in (SMALL, SHORT):
            rows = _between(setting, engine, ends[kind, decay, seed].state, large, images)
            between += [PointBetween(kind, decay, seed, *row) for row in rows]
    return lines, between


def _images(setting: Setting, engine: Engine, probe: Probe) -> Split:
    """The fixed training images of the engine's seed, those of its lines."""
    batch = Surroundings(engine, probe, setting.examples).batch
    return Split(batch.images, batch.labels)


def _lines(setting: Setting, own: Trained, engine: Engine, probe: Probe) -> Iterator[LinePoint]:
    """From where the engine stands."""
    around = Surroundings(engine, probe, setting.examples)
    lengths = np.linspace(-1, 1, setting.points)
    for number, mode in product(range(setting.directions), _MODES):
        losses = around.line(around.direction(number), lengths, mode)
        for length, loss in zip(lengths.tolist(), losses.tolist(), strict=True):
            yield LinePoint(own.kind, own.decay, own.seed, number, mode, length, loss)


def _between(
    setting: Setting, engine: Engine, first: Arrays, large: Arrays, images: Split
) -> Iterator[tuple[str, float, float, float]]:
    """Mode, share, loss and accuracy from beyond one solution to beyond the other."""
    shares = np.linspace(-0.5, 1.5, setting.points_between).tolist()
    for mode in _MODES:
        batches = setting.statistics_batches if mode == "population" else None
        scores = scores_between(engine, first, large, shares, images, batches)
        for share, (loss, accuracy) in zip(shares, scores.tolist(), strict=True):
            yield mode, share, loss, accuracy


def _histograms(setting: Setting, endings: Sequence[Ending]) -> Iterator[Bin]:
    """Of the first seed, in bins that all networks share."""
    first = [each for each in endings if each.trained.seed == setting.seeds[0]]
    limit = max(float(np.abs(kernels(each.state)).max()) for each in first)
    edges = np.linspace(-limit, limit, _BINS + 1)
    for each in first:
        weights = kernels(each.state)
        counts, _ = np.histogram(weights, edges)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            own = each.trained
            yield Bin(own.kind, own.decay, float(low), float(high), float(count / len(weights)))


def _write_setting(folder: Path, training: Training) -> None:
    setting = training.setting
    config = training.composition(SMALL, DECAYS[0], 1.0, setting.seeds[0]).config
    columns = (
        *("data", "train_examples", "width", "seen", "small_batch", "large_batch", "examples"),
    )
    shared = (
        *(config.data.name, config.data.train_examples, setting.width, setting.seen),
        *(setting.batches[SMALL], setting.batches[LARGE], setting.examples),
    )
    write_table(folder / "setting.csv", columns, [shared])
