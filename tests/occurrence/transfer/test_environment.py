from __future__ import annotations

import numpy as np
import pytest
import torch

from quadrat.errors import RunError
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.occurrence.transfer.environment import Rescaling

NAMES = ("elevation_m", "landcover_class", "water_fraction", "rain_mm")


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    classes = rng.integers(1, 4, 200).astype(float)
    return np.stack(
        [rng.normal(300, 90, 200), classes, rng.uniform(size=200), rng.normal(9, 2, 200)], axis=1
    )


@pytest.fixture
def encoders(cells):
    """Fitted on different cells; the second has its columns in another order, and one more."""
    order = [3, 0, 2, 1]
    old = EnvironmentEncoder.fitted(NAMES, cells[:50])
    more = np.concatenate([cells[50:, order], cells[50:, :1] ** 2], axis=1)
    new = EnvironmentEncoder.fitted([*(NAMES[n] for n in order), "roughness"], more)
    return old, new, order


def both(cells, encoders):
    old, new, order = encoders
    extended = np.concatenate([cells[:, order], cells[:, :1] ** 2], axis=1)
    return torch.from_numpy(old.encoded(cells)), torch.from_numpy(new.encoded(extended))


def test_predictions_mean_the_same_in_the_new_units(cells, encoders):
    before, after = both(cells, encoders)
    way = Rescaling.between(*encoders[:2])
    # A layer whose features are the encoded values themselves predicts them exactly.
    weight, bias = torch.eye(before.shape[1]), torch.zeros(before.shape[1])
    new_weight = torch.full((after.shape[1], before.shape[1]), torch.nan)
    new_bias = torch.full((after.shape[1],), torch.nan)
    way.outputs(new_weight, new_bias, (weight, bias))
    found = before @ new_weight.T + new_bias
    np.testing.assert_allclose(found[:, :-1], after[:, :-1], atol=1e-5)
    assert found[:, -1].isnan().all(), "a value that the old encoder lacks is left as it was"


def test_what_is_read_means_the_same_in_the_new_units(cells, encoders):
    before, after = both(cells, encoders)
    generator = torch.Generator().manual_seed(1)
    old = torch.randn(4, before.shape[1], generator=generator), torch.randn(4, generator=generator)
    weight, bias = torch.empty(4, after.shape[1]), torch.empty(4)
    Rescaling.between(*encoders[:2]).inputs(weight, bias, old)
    expected = before @ old[0].T + old[1]
    np.testing.assert_allclose(after @ weight.T + bias, expected, atol=1e-4)


def test_a_head_cannot_read_what_is_not_there(encoders):
    way = Rescaling.between(encoders[1], encoders[0])
    assert way.lost == ("roughness",)
    with pytest.raises(RunError, match="lacks: roughness"):
        way.inputs(torch.empty(2, 6), torch.empty(2), (torch.empty(2, 7), torch.empty(2)))


def test_a_network_that_is_told_the_environment(cells, encoders):
    old, new = encoders[0], EnvironmentEncoder.fitted(NAMES, cells[80:])
    way = Rescaling.between(old, new)
    positions = tuple(old.positions(["elevation_m", "rain_mm"]))
    values = [torch.from_numpy(e.encoded(cells))[:, positions] for e in (old, new)]
    for value in values:
        value[::3, 0] = torch.nan
    place = torch.randn(len(cells), 5, generator=torch.Generator().manual_seed(2))
    read = [torch.cat([place, v.nan_to_num(), (~v.isnan()).float()], dim=1) for v in values]
    generator = torch.Generator().manual_seed(3)
    theirs = torch.randn(4, 9, generator=generator), torch.randn(4, generator=generator)
    weight, bias = torch.empty(4, 9), torch.empty(4)
    way.told(weight, bias, theirs, (positions, positions))
    expected = read[0] @ theirs[0].T + theirs[1]
    np.testing.assert_allclose(read[1] @ weight.T + bias, expected, atol=1e-4)
    with pytest.raises(RunError, match="reads other environment"):
        way.told(weight, bias, theirs, (positions, positions[::-1]))
