from __future__ import annotations

import pickle

import pytest
import torch

from quadrat.engine.randomness import random_state, restore_random_state, seed_everything
from quadrat.engine.state import DamagedStateWarning, load_state, save_state


def test_the_last_two_are_kept(tmp_path):
    for step in range(5):
        save_state(tmp_path, {"step": step, "w": torch.full((3,), float(step))})
    assert len(list(tmp_path.iterdir())) == 2
    state = load_state(tmp_path)
    assert state is not None
    assert state["step"] == 4


def test_nothing_saved(tmp_path):
    assert load_state(tmp_path / "none") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damage_is_noticed_and_the_state_before_is_taken(tmp_path, damage):
    save_state(tmp_path, {"step": 1})
    newest = save_state(tmp_path, {"step": 2, "w": torch.zeros(100)})
    content = bytearray(newest.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    newest.write_bytes({"cut": content[:-10], "flip": content, "empty": b""}[damage])
    with pytest.warns(DamagedStateWarning, match=newest.name):
        state = load_state(tmp_path)
    assert state is not None
    assert state["step"] == 1
    assert newest.exists(), "evidence is not deleted"


def test_a_pickle_with_code_is_not_run(tmp_path):
    import hashlib

    class Probe:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    content = pickle.dumps({"format_version": 1, "x": Probe()}, protocol=2)
    digest = hashlib.sha256(content).hexdigest()[:16]
    (tmp_path / f"state-000001-{digest}.pt").write_bytes(content)
    with pytest.warns(DamagedStateWarning):
        assert load_state(tmp_path) is None
    assert not (tmp_path / "ran").exists()


def test_random_states_survive_a_file(tmp_path):
    import random

    import numpy as np

    seed_everything(3)
    random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    save_state(tmp_path, {"random": random_state()})
    expected = (random.random(), np.random.rand(), float(torch.rand(1)))  # noqa: NPY002
    seed_everything(4)
    state = load_state(tmp_path)
    assert state is not None
    restore_random_state(state["random"])
    assert (random.random(), np.random.rand(), float(torch.rand(1))) == expected  # noqa: NPY002
