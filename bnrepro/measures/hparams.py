"""What TensorBoard's page HParams shows: a line a run, its config and accuracies in columns.

Every run writes the same description of the columns, whatever its own values: of several runs in
one folder TensorBoard takes the description of any one of them for all.
"""

import json
import time
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.api_pb2 import (
    DATA_TYPE_BOOL,
    DATA_TYPE_FLOAT64,
    DATA_TYPE_STRING,
    Experiment,
    HParamInfo,
    MetricInfo,
    MetricName,
    Status,
)
from tensorboard.plugins.hparams.metadata import (
    EXPERIMENT_TAG,
    NULL_TENSOR,
    SESSION_END_INFO_TAG,
    create_summary_metadata,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from tensorboard.plugins.hparams.summary_v2 import hparams_pb

from bnrepro.config import CHOICES, NOT_IDENTITY, RunConfig, to_flat
from bnrepro.config.naming import variant, variants

# The columns of accuracies, by the tags of their scalars. What only some runs have, such as that of
# Algorithm 2, is no column: TensorBoard leaves the other runs out of its plots.
_METRICS = {"summary/best_accuracy": "best accuracy", "summary/final_accuracy": "final accuracy"}
# What tells the paper's networks apart. TensorBoard ticks the first five columns and no more.
_FIRST = (
    "bn",
    "placement",
    "normalization",
    "learning_rate",
    "optimizer.name",
    "model.name",
    "activation",
)
# TensorBoard rounds numbers to five digits, zeros included, so a whole one is text, aligned to the
# right: the order of such texts is that of the numbers, and a page shows no leading spaces.
_WHOLE_NUMBER = "{:>10d}"
# In the column `bn`: a config that is none of the paper's variants.
_NO_VARIANT = "other"


def experiment(config: RunConfig) -> Summary:
    """The columns: what is in `_FIRST` first, the rest of the config by name, the accuracies."""
    content = Experiment(
        hparam_infos=[_column(key, value) for key, value in _values(config).items()],
        metric_infos=[
            MetricInfo(name=MetricName(tag=tag), display_name=title)
            for tag, title in _METRICS.items()
        ],
        time_created_secs=time.time(),
    )
    return _summary(EXPERIMENT_TAG, HParamsPluginData(experiment=content))


def session_start(name: str, config: RunConfig) -> Summary:
    """A run's values, under the name and seed that tables give it."""
    values = {_column_name(key): value for key, value in _values(config).items()}
    return hparams_pb(values, trial_id=f"{name} seed {config.seed}")


def session_end(status: str) -> Summary:
    """The end of a run with the status of its record."""
    words = {"completed": Status.STATUS_SUCCESS, "diverged": Status.STATUS_SUCCESS}
    end = SessionEndInfo(status=words.get(status, Status.STATUS_FAILURE), end_time_secs=time.time())
    return _summary(SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))


def _summary(tag: str, content: HParamsPluginData) -> Summary:
    summary = Summary()
    summary.value.add(tag=tag, metadata=create_summary_metadata(content), tensor=NULL_TENSOR)
    return summary


def _values(config: RunConfig) -> dict[str, bool | float | str]:
    """The choice of `bn`, the seed, and all that makes the run what it is, by flat key."""
    flat = {
        key: value for key, value in to_flat(config.resolved()).items() if key not in NOT_IDENTITY
    }
    flat |= {"bn": variant(config) or _NO_VARIANT, "seed": config.seed}
    return {key: _shown(value) for key, value in flat.items()}


def _shown(value: Any) -> bool | float | str:
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return _WHOLE_NUMBER.format(value)
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _column(key: str, value: bool | float | str) -> HParamInfo:
    column = HParamInfo(
        name=_column_name(key),
        display_name=key.removesuffix(".name"),
        # TensorBoard puts what differs before what does not.
        differs=key in _FIRST,
    )
    if isinstance(value, bool):
        column.type = DATA_TYPE_BOOL
        column.domain_discrete.extend([False, True])
    elif isinstance(value, float):
        column.type = DATA_TYPE_FLOAT64
    else:
        column.type = DATA_TYPE_STRING
        column.domain_discrete.extend(_choices(key))
    return column


def _column_name(key: str) -> str:
    """TensorBoard sorts by it, and shows another."""
    return f"{_FIRST.index(key) + 1}_{key}" if key in _FIRST else key


def _choices(key: str) -> list[str]:
    """The boxes to tick for a column of names; a value of no box is shown while all are ticked."""
    if key == "bn":
        return [*variants(), _NO_VARIANT]
    if key == "normalization":
        return [*CHOICES[key], "none"]
    return [] if key in ("accelerate", "measures") else list(CHOICES.get(key, ()))
