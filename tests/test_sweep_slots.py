"""How many runs at once, and where."""

from pathlib import Path

import pytest

from bnrepro.config import ConfigError
from bnrepro.sweep import slots
from bnrepro.sweep.slots import Slot, choose_slots, memory_bytes, threads_per_run, visible_gpus

GIBIBYTE = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores, 64 GiB, and eight GPUs that are hidden."""
    monkeypatch.setattr(slots, "num_gpus", lambda: 8)
    monkeypatch.setattr(slots, "available_threads", lambda: 8)
    monkeypatch.setattr(slots, "memory_bytes", lambda: 64 * GIBIBYTE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_there_is_a_slot_for_each_core() -> None:
    assert choose_slots(100, None, None, 1) == [Slot(None)] * 8


def test_memory_allows_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "memory_bytes", lambda: 7 * GIBIBYTE)
    assert len(choose_slots(100, None, None, 1)) == 3
    monkeypatch.setattr(slots, "memory_bytes", lambda: GIBIBYTE)
    assert len(choose_slots(100, None, None, 1)) == 1


def test_a_container_has_the_memory_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_CGROUP_LIMITS", (str(tmp_path / "max"), str(tmp_path / "none")))
    whole = memory_bytes()
    (tmp_path / "max").write_text("max\n")
    assert memory_bytes() == whole
    (tmp_path / "max").write_text("1000000\n")
    assert memory_bytes() == 1_000_000


def test_there_are_never_more_slots_than_runs() -> None:
    assert len(choose_slots(3, None, None, 1)) == 3
    assert len(choose_slots(3, 8, None, 1)) == 3


def test_the_cores_are_split_evenly() -> None:
    assert [threads_per_run(number) for number in (1, 3, 8, 20)] == [8, 2, 1, 1]


def test_each_gpu_has_its_slots() -> None:
    assert [slot.gpu for slot in choose_slots(100, None, "0,3", 2)] == ["0", "3", "0", "3"]
    assert [slot.gpu for slot in choose_slots(100, 3, "0,3", 2)] == ["0", "3", "0"]
    assert Slot("3").environment == {"CUDA_VISIBLE_DEVICES": "3"}
    assert Slot(None).environment == {}


def test_runs_on_one_gpu_share_its_memory() -> None:
    (slot, *_) = choose_slots(100, None, "0,3", 2)
    assert slot.environment == {
        "CUDA_VISIBLE_DEVICES": "0",
        "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.4500",
    }
    # As many as there are: one run alone has the card.
    shares = [choose_slots(runs, None, "0", 16)[0].environment for runs in (1, 3, 16)]
    found = [one.get("XLA_PYTHON_CLIENT_MEM_FRACTION") for one in shares]
    assert found == [None, "0.3000", "0.0563"]
    (slot, *_) = choose_slots(100, None, None, 4, "gpu:1")
    assert slot.environment == {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.2250"}


def test_gpus_that_are_seen_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-abc")
    assert [slot.gpu for slot in choose_slots(100, None, None, 1)] == ["4", "GPU-abc"]
    assert [slot.gpu for slot in choose_slots(100, 3, None, 1)] == ["4", "GPU-abc", "4"]


def test_runs_that_choose_a_device_for_themselves_get_none_from_their_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert choose_slots(100, None, None, 2, "gpu:1") == [Slot(None, 2)] * 2
    assert choose_slots(100, None, None, 1, "cpu") == [Slot(None)] * 8
    assert choose_slots(100, None, None, 1, "gpu") == [Slot("4"), Slot("7")]
    assert choose_slots(100, None, "5", 1, "gpu") == [Slot("5")]
    with pytest.raises(ConfigError, match="on GPU 1 with 2 a GPU: expected at most 2"):
        choose_slots(100, 3, None, 2, "gpu:1")


def test_more_runs_at_once_than_the_gpus_take_are_refused() -> None:
    with pytest.raises(ConfigError, match="raise --per-gpu"):
        choose_slots(100, 2, "0", 1)


def test_gpus_that_are_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match="gpus=0,8: no GPU 8 here; this machine shows 8"):
        choose_slots(100, None, "0,8", 1)


@pytest.mark.parametrize("chosen", ["", "-1"])
def test_hidden_gpus_are_not_used(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible_gpus() == []


@pytest.mark.parametrize("gpus", ["", "0,0", "zero", "-1", "0,,1", "1.5"])
def test_what_is_no_list_of_gpus_is_refused(gpus: str) -> None:
    with pytest.raises(ConfigError, match="expected numbers such as 0,1"):
        choose_slots(1, None, gpus, 1)
