"""Bad command lines and config files: exit code 2, one line, nothing created."""

import os
import string
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro import cli
from bnrepro.cli.commands import COMMANDS
from bnrepro.config import CHOICES, GROUPS, ConfigError
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, choices_of, configs_directory, keys
from bnrepro.records.record import RecordError


@contextmanager
def elsewhere():
    """An empty current folder, and the environment as it was afterwards."""
    before, environment = Path.cwd(), dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environment)


def check(argv):
    """The exit code (0 or 2) of a command line as far as it goes without running; and its line."""
    with elsewhere() as folder:
        before = sorted(folder.rglob("*"))
        try:
            cli.parse(argv)
            code, line = 0, ""
        except (ConfigError, RecordError) as error:
            code, line = 2, cli.line_of(error)
            assert len(line) > len("bnrepro: ") + 5 and line.isprintable()
        assert sorted(folder.rglob("*")) == before
        return code, line


MESSAGES = {
    "run lerning_rate=3": "lerning_rate: no such key; did you mean 'learning_rate'?",
    "run lr=3": "lr: no such key; did you mean 'learning_rate'?",
    "run momentum=0.5": "momentum: no such key; did you mean 'optimizer.momentum'?",
    "run nonsense=3": "nonsense: no such key; see `bnrepro run --help` for all",
    "run model=incep": "or module:Name of your own; did you mean 'inception'?",
    "run schedule=exp": "did you mean 'exponential'?",
    "run model={}": "model={}: expected one of application, cnn, inception, lstm, mlp",
    "run model=null": "model=null: expected a choice; leave model out for the default",
    "run data=null": "data=null: expected a choice",
    "run scale=null": "scale=null: expected a choice; leave scale out",
    "run model.name=cnn": "model.name: a name comes with its file; write model=choice",
    "run inception": "inception: expected key=value; did you mean 'model=inception'?",
    "run learning_rate": "learning_rate: expected key=value; did you mean 'learning_rate=...'?",
    "run learning_rate=": "learning_rate=: expected a value after the equals sign",
    "run learning_rate=abc": "learning_rate=abc: expected a number",
    "run learning_rate=nan": "learning_rate=nan: expected a finite number",
    "run learning_rate=-inf": "learning_rate=-inf: expected a finite number",
    "run learning_rate=1e999": "learning_rate=1e999: expected a finite number",
    "run learning_rate=0": "learning_rate=0.0: expected a finite number above 0",
    "run l2=-1": "l2=-1.0: expected a finite number of at least 0",
    "run dropout=1": "dropout=1.0: expected a number of at least 0 and below 1",
    "run distortion=2": "distortion=2.0: expected a number from 0 to 1",
    "run seed=1.5": "seed=1.5: expected a whole number",
    "run seed=null": "seed=null: expected a whole number; leave it out for the default",
    "run batch_size=some": "batch_size=some: expected a whole number of at least 1, or 'all'",
    "run tensorboard=yes": "tensorboard=yes: expected true or false",
    "run accelerate=dropout": "accelerate=dropout: expected a list in brackets",
    "run accelerate=[dropot]": "did you mean 'dropout'?",
    "run accelerate=[l2,l2]": "expected each change once",
    "run activation=rely": "elu, gelu, linear, or module:Name of your own; did you mean",
    "run normalization=none": "use bn=none",
    "run bn=none normalization=layer": "normalization=layer with placement=none",
    "run +x=3": "x: no such key; see `bnrepro run --help` for all",
    "run +lerning_rate=3": "lerning_rate: no such key; did you mean 'learning_rate'?",
    "run +seed=3": "+seed: keys can be set, not added or taken away; write seed=value",
    "run +=3": "+: keys can be set, not added or taken away; write key=value",
    "run seed=0..3": "seed=0..3: expected a whole number; did you mean 'seed=range(0,4)'?",
    "run seed=0:3": "did you mean 'seed=range(0,4)'?",
    "sweep seed=2-5": "did you mean 'seed=range(2,6)'?",
    "run train_steps=1.5e0": "train_steps=1.5e0: expected a whole number",
    "run train_steps=1e-1": "train_steps=1e-1: expected a whole number",
    "run train_steps=1e99": "train_steps=1e99: expected a whole number",
    "run ++seed=3": "write seed=value",
    "run ~model": "~model: keys can be set, not added or taken away",
    "run hydra.run.dir=/tmp": "hydra.run.dir: Hydra's own settings are fixed; leave it out",
    "run hydra/launcher=joblib": "Hydra's own settings are fixed",
    "run model@x=cnn": "model@x: packages are fixed; write model",
    "run model/inception=1": "did you mean 'model=inception' or 'model.inception'?",
    "run results_dir=${oc.env:HOME}": "${...} is not looked up",
    "run seed=${seed}": "${...} is not looked up",
    "run seed=1,2": "seed=1,2: expected one value for one run; use `bnrepro sweep` for a grid",
    "run bn=none,x1": "use `bnrepro sweep` for a grid",
    "run seed=range(0,3)": "use `bnrepro sweep` for a grid",
    "run seed=1,": "expected a value on each side of a comma",
    "run scale=cpu experiment=figure_1_bn": "this experiment has one scale, the paper's",
    "run data=image_folder": "add data.root=FOLDER",
    "run --group seed=0,1": "add backend=jax",
    "run --group backend=jax bn=none,x1": "bn=none,x1: expected one value for a group",
    "run --group backend=jax seed=0,1 l2=0.1,0.2,0.3": "a group with 2 of seed, 3 of l2",
    "run --group backend=jax l2=0,0.1": "a number that is 0 for one member alone",
    "run --group backend=jax seed=1,1": "the same run twice",
    "run --group --info seed=0,1": "leave --group out",
    "run data=mnist data.root=nowhere": "no such file; run `bnrepro data download mnist`",
    "run data=image_folder data.root=nowhere": "nowhere",
    "sweep data=digits,mnist data.root=nowhere": "no such file; run `bnrepro data download mnist`",
    "run backend=torch": "backend=torch: expected one of tensorflow, jax",
    "run batch_size=1": "use batch_size=2 or more",
    "run results_dir=file": "results_dir=file: expected a folder, but file is a file",
    "run results_dir=file/below": "results_dir=file/below: expected a folder, but file is a file",
    "run --confg job": "--confg: no such flag of `bnrepro run`; did you mean '--cfg'?",
    "run --cfg": "--cfg: expected a value after it, one of job, hydra, all",
    "run --cfg jbo": "--cfg jbo: expected one of job, hydra, all; did you mean 'job'?",
    "run --info=all": "--info takes no value",
    "help nothing": "nothing: expected a command",
    "figure 5": "figure 5: expected one of 1, 2, 3, 4, corners, one_change, placement, batch_size",
    "claims C99": "C99: expected claims among C1, C2",
    "figure placment": "did you mean 'placement'?",
    "run device=gup": "device=gup: expected auto, cpu, gpu",
    "run results_dir=dangling": "expected a folder, but dangling is a link to nothing",
    "table results_dir=dangling/x": "expected a folder, but dangling is a link to nothing",
    "run --multirun=3 seed=1": "--multirun takes no value",
    "run --config-dir nowhere": "nowhere': expected a folder",
    "run study=figure_1": "study: no such key",
    "sweep --workers 0": "--workers 0: expected a whole number of at least 1",
    "sweep --workers": "--workers: expected a value after it, N",
    "sweep --max-failures=many": "--max-failures many: expected a whole number of at least 1",
    "sweep --dryrun": "did you mean '--dry-run'?",
    "sweep bn=none,x2": "bn=x2: expected one of none, x1, x30, x5",
    "sweep seed=range(3,0)": "seed=range(3,0): expected 1 to 10,000 values, got none",
    "sweep seed=range(0,99999)": "expected 1 to 10,000 values, got more",
    "sweep bn=range(0,3)": "of a key that takes a number",
    "sweep learning_rate=range(0,1,0)": "expected 1 to 10,000 values, got none",
    "sweep study=figure_7": "study=figure_7: expected one of",
    "sweep seed=range(0,200) train_steps=range(0,200)": "expected",
    "table --format pdf": "--format pdf: expected one of text, csv, markdown",
    "table --target 72.2": "--target 72.2: expected an accuracy above 0 and up to 1; did you mean",
    "table --target nan": "--target nan: expected an accuracy",
    "table seed=3": "seed=3: expected study=NAME beside it",
    "table study=figure_7": "study=figure_7: expected one of",
    "data fetch": "fetch: expected one of list, download, verify",
    "data downlod mnist": "did you mean 'download'?",
    "data download": "expected `bnrepro data list`, `bnrepro data download NAME`",
    "data download mnits": "did you mean 'mnist'?",
    "data list seed=3": "seed=3: `bnrepro data` takes only data.root",
    "tensorboard": "no run with TensorBoard files",
    "tensorboard --port x": "--port x: expected a whole number of at least 1",
    "completion": "expected one of bash, zsh, fish",
    "completion tcsh": "completion tcsh: expected one of bash, zsh, fish",
    "completion bash seed=3": "`bnrepro completion` takes no keys",
    "rum": "rum: expected a command, one of",
    "model=mlp": "try `bnrepro run model=mlp`",
    "--verison": "expected a command",
}


@pytest.mark.parametrize("line", list(MESSAGES))
def test_the_message_says_what_was_received_what_was_expected_and_the_remedy(
    line, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path))
    Path("file").write_text("")
    Path("dangling").symlink_to("nothing")
    assert cli.main(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("bnrepro: ") and captured.err.count("\n") == 1
    assert MESSAGES[line] in captured.err
    assert captured.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file"]


@pytest.mark.parametrize(
    "word",
    ["", " ", "=", "a\nb=c", "seed=\x00", "seed=\x1b[31m", "\udcff=1", "seed=\udcff", "x" * 10_000,
     "seed=" + "9" * 400, "accelerate=" + "[" * 2_000, "seed=" + "(" * 2_000, "'", "seed='1",
     "results_dir=" + "a" * 300, "results_dir=" + "a/" * 2_000, "results_dir=''", "seed=0x10",
     "learning_rate=1e-3e", "seed=１", "data.root=a\\b", "a=b=c", "...=1", "seed.x=1", ".seed=1"],
)  # fmt: skip
def test_strange_words_are_refused_in_one_line(word):
    code, _ = check(["run", word])
    assert code == 2


def test_of_a_key_given_twice_the_last_one_counts(capsys):
    assert cli.main(["run", "seed=1", "seed=2", "--cfg", "job"]) == 0
    assert "seed: 2\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("results_dir=a b(c)", "results_dir", "a b(c)"),
        ("results_dir='a,b'", "results_dir", "a,b"),
        ("results_dir=it's", "results_dir", "it's"),
        ("results_dir=12", "results_dir", "12"),
        ("results_dir=null", "results_dir", "null"),
        ("results_dir=été", "results_dir", "été"),
        ("batch_size=all", "batch_size", "all"),
        ("train_steps=+5", "train_steps", 5),
        ("train_steps=1e4", "train_steps", 10_000),
        ("train_steps=2.0E3", "train_steps", 2_000),
        ("batch_size=1e2", "batch_size", 100),
        ("accelerate=[ dropout , 'l2' ]", "accelerate", ["dropout", "l2"]),
        ("data.root=null", "data.root", None),
    ],
)
def test_values_mean_what_they_say(word, key, value, capsys):
    from bnrepro.config import to_flat
    from bnrepro.config.composition import compose

    if word == "results_dir=null":
        with pytest.raises(ConfigError):
            compose([word])
        return
    config = compose([word]).config
    assert to_flat(config)[key] == value
    # Hydra reads our spelling of the word as the same value.
    assert cli.main(["run", word, "--cfg", "job"]) == 0
    from omegaconf import OmegaConf

    printed = OmegaConf.create(capsys.readouterr().out)
    assert OmegaConf.select(printed, key) == value


def test_a_results_folder_of_a_variable_is_not_looked_up(monkeypatch):
    monkeypatch.setenv("SECRET", "hidden")
    for word in ("results_dir=${oc.env:SECRET}", "results_dir='${oc.env:SECRET}'"):
        code, line = check(["run", word])
        assert code == 2 and "hidden" not in line


# Property: random and mutated command lines.

FOLDERS = ["results_dir=here", "results_dir=a/b", "data.root=there"]
NUMBERS = ["0", "1", "2", "-1", "0.5", "1e-3", "3000000000", "nan", "inf", "1e400", "0x1", "1_0"]


def good_values_of(key):
    """Values of the key's own type, which may still be refused beside others."""
    if key in GROUPS:
        return choices_of(key)
    kind = keys()[key]
    if key == "accelerate":
        return ["[]", "[l2]", "[dropout,decay]"]
    return CHOICES.get(key) or {bool: ("true", "false"), float: ("0.5", "1e-2")}.get(kind, "12")


def values_of(key):
    """Good values, and those of other types."""
    bad = ["null", "{}", "[]", "bogus", "true", "all"]
    return [*good_values_of(key), *bad, *NUMBERS]


def often(*weighted):
    """One of several strategies, the first of each pair times as often as the second says."""
    return st.sampled_from([s for s, weight in weighted for _ in range(weight)]).flatmap(
        lambda s: s
    )


settable = [*GROUPS, *(key for key in keys() if key not in ("results_dir", "data.root"))]
overrides = st.sampled_from(settable).flatmap(
    lambda key: st.sampled_from([f"{key}={value}" for value in values_of(key)])
)
grids = st.sampled_from(settable).flatmap(
    lambda key: st.lists(st.sampled_from(values_of(key)), min_size=2, max_size=2).map(
        lambda pair: f"{key}={','.join(pair)}"
    )
)
syntax = st.sampled_from(
    ["+seed=1", "++model=cnn", "~bn", "~seed=1", "hydra.job.name=x", "hydra/launcher=basic",
     "model@seed=cnn", "seed=${seed}", "seed=${oc.env:HOME}", "seed=range(0,3)", "seed=range(3)",
     "seed=interval(0,1)", "seed=glob(*)", "bn=glob(*)", "bn=choice(x1,x5)", "seed=choice()",
     "seed=shuffle(1,2)", "seed=int(3)", "seed=[1,2]", "seed={a:1}", "model.width={}", "optimizer=",
     "=", "seed", "model", "inception", "study=figure_1", "study=bogus", "study=../x", "-", "--",
     "--=", "-5", "-m", "--multirun", "@", "x.y.z=1", "accelerate=[[l2]]", "accelerate=[,]"]
)  # fmt: skip
flags = st.sampled_from(
    [word for command in COMMANDS.values() for flag in command.flags for word in
     [flag.name, f"{flag.name}=1", f"{flag.name}=x", flag.short or "-x"]]
    + ["--help", "-h", "--version", "--cfg=job", "--info", "--format=csv", "bash"]
)  # fmt: skip
plain = st.sampled_from(
    ["list", "download", "verify", "mnist", "digits", "bash", "zsh", "fish", "bn_*"]
)
junk = st.text(min_size=0, max_size=12) | st.text(alphabet=string.punctuation, max_size=8)


@st.composite
def mutated(draw, words):
    """A word with a letter more, less or another."""
    word = draw(words)
    position = draw(st.integers(0, len(word)))
    letter = draw(st.sampled_from(string.ascii_lowercase + string.punctuation + " 0é\n\x00\udcff"))
    return draw(
        st.sampled_from(
            [
                word[:position] + letter + word[position:],
                word[:position] + word[position + 1 :],
                word[:position] + letter + word[position + 1 :],
            ]
        )
    )


proper = often((overrides, 4), (st.sampled_from(FOLDERS), 1), (grids, 1), (flags, 2), (plain, 1))
words = often((proper, 4), (mutated(proper), 1), (syntax, 2), (mutated(syntax), 1), (junk, 1))
names = st.sampled_from(list(COMMANDS))
commands = often((names, 12), (mutated(names), 1), (junk, 1))
good_words = st.sampled_from([key for key in settable if not key.endswith(".name")]).flatmap(
    lambda key: st.sampled_from([f"{key}={value}" for value in good_values_of(key)])
)
# Good words with at most one of another kind among them.
nearly_good = st.tuples(
    st.sampled_from(["run", "sweep"]), st.lists(good_words, max_size=3), st.lists(words, max_size=1)
).map(lambda line: [line[0], *line[1], *line[2]])
any_line = st.tuples(commands, st.lists(words, max_size=4)).map(lambda line: [line[0], *line[1]])


@settings(max_examples=100)
@given(often((nearly_good, 1), (any_line, 1)))
def test_any_command_line_ends_with_0_or_2_and_one_line(line):
    check(line)


@pytest.mark.slow
@settings(max_examples=2000)
@given(often((nearly_good, 1), (any_line, 1)))
def test_any_of_many_command_lines_ends_with_0_or_2_and_one_line(line):
    check(line)


@settings(max_examples=150)
@given(st.text(max_size=40))
def test_completion_answers_any_line(line):
    printable = "".join(letter for letter in line if letter.isprintable())
    cli.parse(["completion", "--query", f"bnrepro {printable}"])()


# Property: config files of a user's own.

OURS = sorted(configs_directory().glob("*/*.yaml"))
OURS = [path for path in OURS if path.parent.name in GROUPS]
HEADER = "# @package _global_\n"
entries = st.one_of(
    overrides.map(lambda word: word.replace("=", ": ", 1)),
    st.sampled_from(
        ["seed: ${oc.env:HOME}", "seed: !!python/object/apply:os.system [ls]", "model: {}",
         "model: {width: {a: 1}}", "model: [1]", "hydra: {run: {dir: x}}", "_target_: os.system",
         "defaults: [override /bn: x5]", "defaults: [{override /bn: x5}]", "defaults: {}",
         "defaults: [{override /hydra/launcher: basic}]", "defaults: [{/model: cnn}]",
         "defaults: [_self_]", "a: &a [1]", "b: *a", "<<: {seed: 1}", "? [1, 2]\n: 3",
         "seed: 1e400", "learning_rate: .nan", "accelerate: [l2]", "accelerate: [[l2]]", "1: 2",
         "null: 3", "---", "data: {binary: true}", "percentiles: {every: 5}", "seed: |\n  text",
         "- a", "{}", "[]"]
    ),
)  # fmt: skip
contents = st.one_of(
    st.lists(entries, max_size=4).map(lambda lines: HEADER + "\n".join(lines)),
    mutated(st.sampled_from([path.read_text() for path in OURS])),
    junk.map(lambda text: HEADER + text),
    st.sampled_from(["", "seed: 1", "# @package hydra\nseed: 1", HEADER + "[" * 3_000]),
).map(lambda text: text.encode("utf-8", "surrogateescape"))


@settings(max_examples=150)
@given(st.sampled_from(GROUPS), contents | st.binary(max_size=30), st.lists(overrides, max_size=1))
def test_any_config_file_ends_with_0_or_2_and_one_line(group, content, line):
    with elsewhere() as folder:
        (folder / group).mkdir()
        (folder / group / "mine.yaml").write_bytes(content)
        check(["run", "--config-dir", str(folder), f"{group}=mine", *line])


LINES = [
    "run lerning_rate=3",
    "run model={}",
    "run learning_rate=nan",
    "run ~model",
    "run hydra.run.dir=x",
    "run seed=${oc.env:HOME}",
    "run seed=1,2",
    "run results_dir=/dev/null",
    "run data=mnist data.root=/nowhere",
    "run --config-dir=/nowhere",
    "sweep bn=none,bogus",
    "sweep study=bogus",
    "sweep --workers=-1",
    "table",
    "table --target=7",
    "data download bogus",
    "tensorboard",
    "completion bash",
    "run --cfg job",
    "bogus",
]


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_a_process_ends_with_0_or_2_and_one_line(line, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bnrepro", *line.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    good = line in ("completion bash", "run --cfg job")
    assert done.returncode == (0 if good else 2)
    assert done.stderr.count("\n") == (0 if good else 1)
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_message_longer_than_anybody_reads_is_cut_between_two_words():
    said = cli.line_of(ConfigError(" ".join(["experiment"] * 300)))
    *words, end = said.split()
    assert (words[0], set(words[1:]), end) == ("bnrepro:", {"experiment"}, "...")
    assert 1_900 < len(said) < 2_020
    assert len(cli.line_of(ConfigError("a" * 3_000))) < 2_020
