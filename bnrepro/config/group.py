"""Which runs train as one program: those that differ in nothing but numbers that it is given."""

from collections.abc import Callable, Iterable, Mapping

from bnrepro.config import ConfigError, RunConfig, shown, to_flat, with_values
from bnrepro.config.composition import Composition, compose
from bnrepro.config.overrides import Given, Override, read_all
from bnrepro.config.own import parse, shortened

# What the members of a group may differ in.
NUMBERS = (
    "seed",
    "learning_rate",
    "learning_rate_multiplier",
    "initializer.scale",
    "l2",
    "optimizer.momentum",
)


def program(config: RunConfig) -> RunConfig:
    """The config without its numbers: runs of which it is the same may train together.

    Of a number it is kept whether it is 0, where the program lacks what the number would weigh.
    """
    flat = to_flat(config)
    parts = {key: float(bool(flat[key])) for key in NUMBERS if key != "seed"}
    return with_values(config, {"seed": 0, **parts})


def members(
    overrides: Iterable[Given], config_of: Callable[[Mapping[str, str]], RunConfig]
) -> list[Composition]:
    """The runs of `seed=0,1 learning_rate=0.1,0.2`: a number's values stand in the members' order.

    Everything that has one value is the same for all. `config_of` makes the first one's config.

    Raises:
        ConfigError: if a word or a member is refused, or the members are not one program.
    """
    first, *others = _rows(read_all(overrides))
    found = [compose(first, config_of), *map(compose, others)]
    check(found)
    return found


def _rows(given: list[Override]) -> list[list[Override]]:
    """The overrides of each member."""
    several = [override for override in given if len(override.values) > 1]
    for override in several:
        if override.key not in NUMBERS:
            raise ConfigError(
                f"{shown(override)}: expected one value for a group, whose members differ only in "
                f"{', '.join(NUMBERS)}; use `bnrepro sweep --as-one-program`, which makes groups"
            )
    sizes = {override.key: len(override.values) for override in several}
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{size} of {key}" for key, size in sizes.items())
        raise ConfigError(
            f"a group with {counts}: expected a value for each member, as many of one key as of "
            "the other"
        )
    count = max(sizes.values(), default=1)
    return [
        [Override(each.key, (each.values[place % len(each.values)],)) for each in given]
        for place in range(count)
    ]


def check(found: list[Composition]) -> None:
    """Refuse what cannot train together.

    Raises:
        ConfigError: saying why not.
    """
    first = found[0].config
    if first.backend != "jax":
        raise ConfigError(
            f"backend={first.backend}: runs train as one program through jax.vmap; add backend=jax"
        )
    if first.devices != 1:
        raise ConfigError(
            f"devices={first.devices} with several runs as one program: expected one device, on "
            "which they share a program; leave devices out, or train them one by one"
        )
    if any(program(member.config) != program(first) for member in found):
        raise ConfigError(
            "a group with a number that is 0 for one member alone: expected one program for all; "
            "`bnrepro sweep --as-one-program` makes two groups of them"
        )
    momenta = {member.config.optimizer.momentum for member in found}
    if parse(first.optimizer.name) is not None and len(momenta) > 1:
        raise ConfigError(
            f"optimizer={shortened(first.optimizer.name)} with several optimizer.momentum: "
            "expected one value for a group with an optimizer of your own; leave --as-one-program "
            "out"
        )
    if len({member.directory for member in found}) < len(found):
        raise ConfigError("a group with the same run twice: expected each once; leave one out")
