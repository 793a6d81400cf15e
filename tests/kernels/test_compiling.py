"""Where machine code is kept, and how many threads run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np

from quadrat.kernels import compiling


def test_machine_code_lies_beside_the_bytecode_under_the_digest_of_the_sources(
    tmp_path, monkeypatch
):
    there = compiling._folder()
    assert there is not None
    assert there.parent.name == "__pycache__"
    copied = tmp_path / "kernels"
    copied.mkdir()
    for source in Path(compiling.__file__).parent.glob("*.py"):
        (copied / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(compiling, "_HERE", copied)
    assert compiling._folder().name == there.name
    (copied / "arithmetic.py").write_text("# another version\n")
    assert compiling._folder().name != there.name


def test_where_nothing_can_be_written_it_is_not_kept(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    (tmp_path / "__pycache__").write_text("")
    monkeypatch.setattr(compiling, "_HERE", tmp_path)
    monkeypatch.setattr(compiling.platformdirs, "user_cache_path", lambda name: blocked / name)
    assert compiling._folder() is None
    monkeypatch.setattr(compiling, "_FOLDER", None)
    assert not compiling.are_compiled()

    @compiling.kernel()
    def doubled(numbers):
        for place in numba.prange(len(numbers)):
            numbers[place] *= 2

    numbers = np.array([1.0, 2.0])
    doubled(numbers)
    assert numbers.tolist() == [2, 4]


def test_whether_kernels_are_compiled_is_known_before_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "_FOLDER", tmp_path)
    assert not compiling.are_compiled()

    (tmp_path / "compiled").touch()
    assert compiling.are_compiled()


def test_the_first_process_has_the_bits_of_all_later_ones(tmp_path):
    package = Path(compiling.__file__).parents[1]
    shutil.copytree(package, tmp_path / "quadrat", ignore=shutil.ignore_patterns("__pycache__"))
    code = """
import hashlib, torch
from quadrat.kernels.cross_entropy import absent_sums
torch.manual_seed(0)
sums, slopes = absent_sums(torch.randn(500, 300).bfloat16())
print(hashlib.sha256(sums.numpy()).hexdigest(), slopes.double().sum().item())
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    )
    assert len(first) > 60
    assert first == second
    assert list((tmp_path / "quadrat" / "kernels" / "__pycache__").glob("kernels-*/compiled"))


def test_kernels_leave_the_number_of_threads_of_torch_alone():
    code = """
import torch
from quadrat.kernels.cross_entropy import absent_sums
absent_sums(torch.zeros(300, 300).bfloat16())
print(torch.get_num_threads())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "1"
