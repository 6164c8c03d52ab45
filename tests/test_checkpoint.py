"""A checkpoint comes back as it was, and a damaged one is never used."""

import numpy as np
import pytest

from bnrepro.records import checkpoint

ARRAYS = {"model/hidden_1/kernel": np.arange(6.0).reshape(2, 3), "optimizer/steps": np.int64(7)}


def save_two(directory):
    checkpoint.save(directory, 100, ARRAYS, {"progress": 100})
    checkpoint.save(directory, 200, ARRAYS, {"progress": 200})
    return sorted(directory.iterdir())


def test_what_is_saved_is_loaded(tmp_path):
    save_two(tmp_path)
    step, arrays, meta = checkpoint.load(tmp_path, pytest.fail)
    assert (step, meta) == (200, {"progress": 200})
    assert arrays.keys() == ARRAYS.keys()
    for name, value in ARRAYS.items():
        assert arrays[name].dtype == value.dtype
        np.testing.assert_array_equal(arrays[name], value)


def test_only_the_newest_two_are_kept(tmp_path):
    save_two(tmp_path)
    checkpoint.save(tmp_path, 300, ARRAYS, {})
    assert [path.stem[-3:] for path in sorted(tmp_path.iterdir())] == ["200", "300"]


def flip_a_bit(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [flip_a_bit, lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: raw[:10]],
    ids=["flipped bit", "cut in half", "empty", "cut in its digest"],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_is_named(tmp_path, damage):
    _, newest = save_two(tmp_path)
    newest.write_bytes(damage(newest.read_bytes()))
    lines = []
    step, _, _ = checkpoint.load(tmp_path, lines.append)
    assert step == 100
    assert len(lines) == 1
    assert newest.name in lines[0]


def test_a_checkpoint_from_elsewhere_executes_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (print, ("executed",))

    import hashlib
    import io

    buffer = io.BytesIO()
    np.savez(buffer, bomb=np.array([Bomb()], dtype=object), __meta__=np.frombuffer(b"{}", np.uint8))
    payload = buffer.getvalue()
    (tmp_path / "000000000001.ckpt").write_bytes(hashlib.sha256(payload).digest() + payload)
    lines = []
    assert checkpoint.load(tmp_path, lines.append) is None
    assert len(lines) == 1


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoint.load(tmp_path / "absent", pytest.fail) is None


def test_clear_removes_the_folder(tmp_path):
    save_two(tmp_path / "checkpoint")
    checkpoint.clear(tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()
    checkpoint.clear(tmp_path / "checkpoint")


def test_a_folder_of_ones_own_among_the_checkpoints_is_passed_over_and_stays(tmp_path):
    save_two(tmp_path)
    notes = tmp_path / "notes"
    notes.mkdir()
    (tmp_path / "000000000900.ckpt").mkdir()
    assert checkpoint.load(tmp_path, pytest.fail)[0] == 200
    checkpoint.clear(tmp_path)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "000000000900.ckpt", notes]


def test_a_folder_that_nobody_else_uses_goes_with_its_checkpoints(tmp_path):
    directory = tmp_path / "checkpoint"
    save_two(directory)
    checkpoint.clear(directory)
    checkpoint.clear(directory)
    assert not directory.exists()
