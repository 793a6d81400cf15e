import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from quadrat.engine.memory import freed_memory_kept

def faults(megabytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(megabytes * 2**18)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5

for size in (48, 4):
    outside = faults(size)
    with freed_memory_kept():
        faults(size)
        inside = faults(size)
    print(outside, inside)
with open("/proc/self/status") as status:
    resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
with freed_memory_kept():
    torch.ones(400 * 2**18)
with open("/proc/self/status") as status:
    after = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
print(resident, after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults as Linux does")
def test_memory_is_asked_for_once_and_given_back_at_the_end():
    """In a process of its own, whose allocator nothing else has tuned."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    lines = [[float(number) for number in line.split()] for line in done.stdout.splitlines()]
    outside, inside = lines[0]
    assert outside > 1000 and inside < outside / 20
    assert lines[1][1] < 20
    resident, after = lines[2]
    assert after < resident + 50_000
