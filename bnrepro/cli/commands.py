"""The commands of `bnrepro`. To add one: a `prepare_` function and an entry in `COMMANDS`.

A `prepare_` function checks its words as far as that goes without doing anything, and returns what
does the work and gives the exit code.
"""

from functools import partial

from bnrepro.cli.comparison import AGAINST, prepare_compare
from bnrepro.cli.completion import SHELLS, complete, script
from bnrepro.cli.data_sets import prepare_data
from bnrepro.cli.exhibits import (
    prepare_bench,
    prepare_claims,
    prepare_ensemble,
    prepare_figure,
    prepare_report,
    prepare_table,
    prepare_tensorboard,
)
from bnrepro.cli.laboratory import prepare_laboratory
from bnrepro.cli.runs import STATES, prepare_evaluate, prepare_runs, prepare_surface
from bnrepro.cli.training import prepare_plan, prepare_run, prepare_sweep, prepare_verify
from bnrepro.cli.words import Command, Flag, Words, Work
from bnrepro.config import KEYS, NORMALIZATIONS, ConfigError, did_you_mean, shown
from bnrepro.config.names import INFERENCES, PROBE_MODES, SPLITS
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE
from bnrepro.exhibits import EXHIBITS
from bnrepro.lab.studies import STUDIES

_DATA_KEYS = tuple(key for key in KEYS if key.startswith("data.") and key != "data.name")
_CONFIG_DIR = Flag(
    "--config-dir",
    f"a folder with files of your own, as {CONFIG_DIRECTORY_VARIABLE} names it",
    "DIR",
)


def prepare_completion(words: Words) -> Work:
    """Print a shell's completion script, or answer one of its questions."""
    if "--query" in words.flags:
        return partial(_print_lines, complete(words.flags["--query"], COMMANDS))
    shell = words.plain[0] if len(words.plain) == 1 else " ".join(words.plain)
    if shell not in SHELLS:
        raise ConfigError(
            f"completion {shown(shell)}: expected one of {', '.join(SHELLS)}"
            f"{did_you_mean(shell, SHELLS)}"
        )
    return partial(_print_lines, [script(shell)])


def _print_lines(lines: list[str]) -> int:
    for line in lines:
        print(line)
    return 0


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "run",
            "train one network and leave its record",
            "[group=choice ...] [key=value ...]",
            prepare_run,
            (
                Flag("--multirun", "the same as `bnrepro sweep`", short="-m"),
                Flag("--group", "as one program: seed=0,1 l2=0.1,0.2 are two runs (backend=jax)"),
                _CONFIG_DIR,
                Flag("--cfg", "print the composed config", "PART", ("job", "hydra", "all")),
                Flag("--info", "print versions, device, caches and data: for a bug report"),
            ),
            keys=None,
            examples=(
                ("bnrepro run model=inception bn=x5", "digits, which need no download"),
                ("bnrepro run model=mlp bn=x1 data=mnist", "the paper's MNIST network"),
                ("bnrepro run experiment=bn_x5 scale=cpu seed=3", "a row of the paper's table"),
                ("bnrepro run model=cnn data=mnist learning_rate=0.05 model.width=2", "any key"),
            ),
        ),
        Command(
            "sweep",
            "train many: a grid of choices and values, or a study",
            "[study=NAME] [group=a,b ...] [key=1,2 ...]",
            prepare_sweep,
            (
                Flag("--workers", "runs at the same time (default: what the machine bears)", "N"),
                Flag("--gpus", "the GPUs to use (default: all), each run sees one", "0,1"),
                Flag("--per-gpu", "runs at the same time on one GPU (default: 1)", "N"),
                Flag(
                    "--dry-run", "list the runs, their time and disk, from records; train nothing"
                ),
                Flag("--probe", "the same; a few steps tell the times that no record tells"),
                Flag("--status", "how far the runs are; without words, all in the results folder"),
                Flag("--retry-failed", "also run what failed before"),
                Flag("--fail-fast", "stop at the first failure"),
                Flag("--max-failures", "stop after so many failures", "N"),
                Flag(
                    "--launcher",
                    "where the runs train: here, or as the array of a cluster",
                    "NAME",
                    ("local", "slurm"),
                ),
                Flag("--as-one-program", "together what differs only in numbers (backend=jax)"),
                _CONFIG_DIR,
            ),
            keys=None,
            takes_study=True,
            examples=(
                ("bnrepro sweep bn=none,x1,x5 seed=0,1", "six runs on digits"),
                ("bnrepro sweep experiment=inception,bn_x5 scale=cpu seed=0,1,2", "a small table"),
                ("bnrepro sweep study=figure_2 scale=cpu --dry-run", "what a study would take"),
                ("bnrepro sweep --status", "what is going on, from another terminal"),
            ),
        ),
        Command(
            "plan",
            "measure how long runs would take, what limits them, and their disk",
            "[study=NAME] [group=a,b ...] [key=1,2 ...]",
            prepare_plan,
            (
                Flag("--workers", "runs at the same time (default: what the machine bears)", "N"),
                Flag("--gpus", "the GPUs to use (default: all), each run sees one", "0,1"),
                Flag("--per-gpu", "runs at the same time on one GPU (default: 1)", "N"),
                _CONFIG_DIR,
            ),
            keys=None,
            takes_study=True,
            examples=(
                ("bnrepro plan experiment=bn_x5 scale=cpu", "a run of half an hour, in a minute"),
                (
                    "bnrepro plan experiment=bn_x5 scale=paper data.root=FOLDER",
                    "decoding photographs, and a few steps on them",
                ),
                ("bnrepro plan study=figure_2 scale=gpu backend=jax", "a study"),
            ),
        ),
        Command(
            "table",
            "steps to target and best accuracy per experiment, over seeds",
            "[study=NAME] [experiment ...] [results_dir=DIR]",
            prepare_table,
            (
                Flag("--format", "how it is printed", "FORM", ("text", "csv", "markdown", "latex")),
                Flag("--target", "the accuracy to reach, such as 0.722", "ACCURACY"),
                Flag("--reference", "whose best accuracy is the target", "EXPERIMENT"),
                Flag("--paired", "what differs, and differences by seed from the first one named"),
                Flag("--best-of", "all values of a key, the best of each variant marked", "KEY"),
                _CONFIG_DIR,
            ),
            keys=None,
            takes_plain_words=True,
            takes_study=True,
            examples=(
                ("bnrepro table", "all of your own records, under results/"),
                ("bnrepro table inception 'bn_*' --reference inception", "some of them"),
                ("bnrepro table study=figure_2 --format csv", "a study's: the paper's figure 3"),
                ("bnrepro table mlp-digits-none mlp-digits-x1 --paired", "one minus the other"),
                ("bnrepro table 'mlp-*' --best-of learning_rate", "which rate, for each variant"),
            ),
        ),
        Command(
            "runs",
            "list your runs: state, date, steps, best accuracy, time, name; the newest last",
            "[NAME ...] [group=choice ...] [key=value ...] [results_dir=DIR]",
            prepare_runs,
            (
                Flag("--state", "only those that are so", "STATE", STATES),
                Flag("--format", "how it is printed", "FORM", ("text", "csv")),
            ),
            keys=None,
            takes_plain_words=True,
            examples=(
                ("bnrepro runs", "all of them, unfinished ones too"),
                ("bnrepro runs bn=none,x1 seed=0", "by what they were told; one of the values"),
                ("bnrepro runs 'mlp-*' --state interrupted", "by name and state"),
            ),
        ),
        Command(
            "evaluate",
            "score finished networks on other images, or with other statistics",
            "RUN ... [data=NAME] [split=NAME] [inference=population] [results_dir=DIR]",
            prepare_evaluate,
            (Flag("--format", "how it is printed", "FORM", ("text", "csv")),),
            keys=("results_dir", "data", *_DATA_KEYS),
            takes_plain_words=True,
            settings=(
                Flag("split", "which images (the run's own split)", "NAME", ("train", *SPLITS)),
                Flag("inference", "which statistics (the run's own)", "KIND", INFERENCES),
            ),
            examples=(
                ("bnrepro evaluate mlp-digits-x1", "all its seeds, as at the end of training"),
                ("bnrepro evaluate mlp-digits-x1/seed_0 split=train", "on what it was trained on"),
                ("bnrepro evaluate 'mlp-*' inference=population", "with Algorithm 2's statistics"),
                ("bnrepro evaluate mlp-mnist-x1 data=fashion_mnist", "on images of another kind"),
            ),
        ),
        Command(
            "surface",
            "the loss around finished networks: tables, a figure and a page to turn it on",
            "RUN ... [results_dir=DIR]",
            prepare_surface,
            (
                Flag("--points", "odd: along a line, from -1 to 1 (default: 21)", "N"),
                Flag("--plane", "odd: along each side of a plane (default: 11)", "N"),
                Flag("--directions", "how many lines (default: 2)", "N"),
                Flag("--examples", "over how many training images (default: 512)", "N"),
                Flag("--modes", f"{','.join(PROBE_MODES)} (default), or some of them", "NAMES"),
            ),
            keys=("results_dir",),
            takes_plain_words=True,
            examples=(
                ("bnrepro surface mlp-digits-x1/seed_0", "below results/own_surfaces/"),
                ("bnrepro surface mlp-digits-x1/seed_0 --plane 21", "finer: new points alone"),
            ),
        ),
        Command(
            "figure",
            "draw a figure of the paper from the records, or runs of your own",
            f"{' | '.join(EXHIBITS)}  [scale=cpu] | NAME ... | study=NAME  [results_dir=DIR]",
            prepare_figure,
            (
                Flag("--target", "of runs: the accuracy to reach, such as 0.9", "ACCURACY"),
                Flag("--reference", "of runs: whose best accuracy is the target", "EXPERIMENT"),
                Flag("--output", "of runs: the folder of the files (own_runs/ in results/)", "DIR"),
                _CONFIG_DIR,
            ),
            keys=("results_dir", "scale"),
            plain_words=tuple(EXHIBITS),
            takes_plain_words=True,
            takes_study=True,
            examples=(
                ("bnrepro figure 1", "accuracy and pre-activations on MNIST"),
                ("bnrepro figure 2 scale=cpu", "the five networks of the paper's table"),
                ("bnrepro figure 3 scale=cpu", "the paper's table, with verdicts"),
                ("bnrepro figure 'mlp-digits-*'", "your own runs: accuracy and loss over steps"),
            ),
        ),
        Command(
            "report",
            "all exhibits on one page",
            "[results_dir=DIR]",
            prepare_report,
            (Flag("--commands", "list the commands that make everything; make nothing"),),
            keys=("results_dir",),
        ),
        Command(
            "claims",
            "test what the paper claims, with a verdict",
            "[C1 C2 ... | lab] [results_dir=DIR]",
            prepare_claims,
            (Flag("--format", "how it is printed", "FORM", ("text", "csv", "markdown")),),
            keys=("results_dir",),
            plain_words=("lab",),
            takes_plain_words=True,
            examples=(
                ("bnrepro claims", "what the paper claims: half a minute"),
                ("bnrepro claims C4 C12", "two of its claims"),
                ("bnrepro claims lab", "laws that later work derives, X1 and so on: seconds"),
            ),
        ),
        Command(
            "laboratory",
            "compute why it works: the studies that leave tables",
            "[STUDY ...] [scale=smoke|gpu] [results_dir=DIR]",
            prepare_laboratory,
            (Flag("--commands", "list what makes the laboratory's part of the report, by scale"),),
            keys=("results_dir", "scale"),
            plain_words=tuple(STUDIES),
            takes_plain_words=True,
            examples=(
                ("bnrepro laboratory error_surface", "features and the error surface: a minute"),
                ("bnrepro figure error_surface", "what came out, drawn"),
            ),
        ),
        Command(
            "ensemble",
            "errors of the mean of several networks' class probabilities",
            "RUN ... [results_dir=DIR]",
            prepare_ensemble,
            keys=("results_dir",),
            takes_plain_words=True,
            examples=(
                ("bnrepro sweep bn=x1 seed=0,1 save_predictions=true", "two networks"),
                ("bnrepro ensemble mlp-digits-x1-predictions", "their mean"),
            ),
        ),
        Command(
            "verify",
            "train recorded runs again and compare them with their records",
            "[RUN ...] [study=NAME] [results_dir=DIR]",
            prepare_verify,
            (Flag("--publish", "also write the outcome below verification/ of that folder"),),
            keys=("results_dir",),
            takes_plain_words=True,
            takes_study=True,
            examples=(
                ("bnrepro verify study=placement", "the run of a study that took the least time"),
                ("bnrepro verify figure_1_plain", "a run by its name"),
                ("bnrepro verify", "of every published study one run: hours"),
            ),
        ),
        Command(
            "compare",
            "what a normalization is, how it trains and what it costs, beside others",
            "NORMALIZATION [--against NAME,...] [backend=NAME] [results_dir=DIR]",
            prepare_compare,
            (
                Flag("--against", f"the others (default: {AGAINST})", "NAME,..."),
                Flag("--quick", "one seed, few networks: a first look in a minute or two"),
                _CONFIG_DIR,
            ),
            keys=("backend", "results_dir", "force"),
            plain_words=(*NORMALIZATIONS, "none"),
            takes_plain_words=True,
            examples=(
                ("bnrepro compare layer", "a page below results/compare/, in ten minutes"),
                ("bnrepro compare my_norms:RMSNorm", "one of your own (docs/own.md)"),
                ("bnrepro compare group --against batch,none --quick", "a first look"),
            ),
        ),
        Command(
            "bench",
            "steps per second of the engine beside what others reach",
            "[backend=NAME] [results_dir=DIR]",
            prepare_bench,
            (
                Flag("--quick", "fewer rounds and networks, under three minutes"),
                Flag(
                    "--only",
                    "workloads, contenders, `commands`, `gpu`, with commas between",
                    "NAMES",
                ),
                Flag("--rounds", "rounds of each contender, in place of 7", "N"),
            ),
            keys=None,
        ),
        Command(
            "data",
            "list, download or verify data sets",
            "list | download NAME | verify [NAME]  [data.root=DIR]",
            prepare_data,
            keys=("data.root",),
            plain_words=("list", "download", "verify", "mnist", "fashion_mnist", "cifar10"),
            takes_plain_words=True,
            examples=(
                ("bnrepro data list", "what there is, and what is here"),
                ("bnrepro data download cifar10", "into BNREPRO_DATA, else ~/.cache/bnrepro"),
                ("bnrepro data verify", "whether the files are what was published"),
                (
                    "bnrepro data verify image_folder data.root=FOLDER",
                    "whether your photographs are what they were",
                ),
            ),
        ),
        Command(
            "tensorboard",
            "show the runs in TensorBoard",
            "[results_dir=DIR]",
            prepare_tensorboard,
            (
                Flag("--port", "where it listens (default: the first free one from 6006)", "N"),
                Flag("--host", "for whom it listens (default: this machine)", "ADDRESS"),
            ),
            keys=("results_dir",),
        ),
        Command(
            "completion",
            "print the tab completion of a shell",
            "bash | zsh | fish",
            prepare_completion,
            (Flag("--query", "the words that may follow a line", "LINE"),),
            plain_words=("bash", "zsh", "fish"),
            takes_plain_words=True,
            examples=(
                ('eval "$(bnrepro completion bash)"', "in ~/.bashrc"),
                ('eval "$(bnrepro completion zsh)"', "in ~/.zshrc, after compinit"),
                ("bnrepro completion fish | source", "in ~/.config/fish/config.fish"),
            ),
        ),
    )
}
