"""What a run is: typed and frozen, with every rule that ties two fields together.

`names`: the closed sets of names. `fields`: the config of a run and what makes it the same run.
`about`: what a key says of itself, with `ranges`, the numbers that it takes, and `word`, how a name
says it. `spelling`: names made of words. `numerals`: numbers that would be misread. `folders`:
`~` expanded. `rules`: what is refused. `messages`: how that is said.
The values themselves stand in `conf/`.
"""

from bnrepro.config.fields import (
    CHOICES,
    KEYS,
    MEASURES,
    NOT_IDENTITY,
    RANGES,
    DataConfig,
    InitializerConfig,
    OptimizerConfig,
    Recipe,
    RunConfig,
    ScheduleConfig,
    absent_values,
    difference,
    flatten,
    from_flat,
    identity,
    to_flat,
    with_values,
)
from bnrepro.config.messages import (
    ConfigError,
    did_you_mean,
    first_few,
    kind_of,
    one_line,
    one_of,
    shown,
)
from bnrepro.config.names import (
    ACCELERATIONS,
    ACTIVATIONS,
    BACKENDS,
    DATA,
    DENSE_MODELS,
    GROUPS,
    INITIALIZERS,
    MODELS,
    NORMALIZATIONS,
    NORMALIZATIONS_OVER_THE_BATCH,
    OPTIMIZERS,
    PLACEMENTS,
    PRECISIONS,
    SCHEDULES,
    SHUFFLES,
)
from bnrepro.config.rules import validate
from bnrepro.config.spelling import model_word, spelled_name, variant_name
from bnrepro.config.word import is_part

__all__ = [
    "ACCELERATIONS",
    "ACTIVATIONS",
    "BACKENDS",
    "CHOICES",
    "ConfigError",
    "DATA",
    "DENSE_MODELS",
    "DataConfig",
    "GROUPS",
    "INITIALIZERS",
    "InitializerConfig",
    "KEYS",
    "MEASURES",
    "MODELS",
    "NORMALIZATIONS",
    "NORMALIZATIONS_OVER_THE_BATCH",
    "NOT_IDENTITY",
    "OPTIMIZERS",
    "OptimizerConfig",
    "PLACEMENTS",
    "PRECISIONS",
    "RANGES",
    "Recipe",
    "RunConfig",
    "SCHEDULES",
    "SHUFFLES",
    "ScheduleConfig",
    "absent_values",
    "did_you_mean",
    "difference",
    "first_few",
    "flatten",
    "from_flat",
    "identity",
    "is_part",
    "kind_of",
    "model_word",
    "one_line",
    "one_of",
    "shown",
    "spelled_name",
    "to_flat",
    "validate",
    "variant_name",
    "with_values",
]
