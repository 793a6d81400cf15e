"""Heads that say amounts: identities by construction, the means at the start, sums over places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from quadrat.photos.fusion import SampleViews
from quadrat.photos.heads import AmountsHead, HeadSpec, heads
from quadrat.photos.heads.amounts import LEAST_SHARE, DensityHead, with_size
from quadrat.runtime.balance import Balance, Identity
from quadrat.targets import TargetScaler

BALANCE = Balance(
    ("green", "dead", "clover", "gdm", "total"),
    (Identity("gdm", ("green", "clover")), Identity("total", ("gdm", "dead"))),
)
SUMMING = tuple(tuple(int(x) for x in row) for row in BALANCE.summing)
KINDS = ("parts", "ratio", "density")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def masses(rows: int = 60) -> np.ndarray[Any, np.dtype[np.float64]]:
    rng = np.random.default_rng(0)
    parts = rng.gamma(1.5, 12.0, (rows, 3)) * (rng.random((rows, 3)) > 0.2)
    return parts @ BALANCE.summing.T


def views(sizes: tuple[int, ...] = (2, 1, 3), seed: int = 0) -> SampleViews:
    generator = torch.Generator().manual_seed(seed)
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    count = len(owner)
    return SampleViews(
        vectors=torch.randn(count, 6, generator=generator),
        photos=torch.randn(len(sizes), 6, generator=generator),
        owner=owner,
        slot=torch.zeros_like(owner),
        tokens=torch.randn(count, 2, 3, 7, generator=generator),
    )


def head(kind: str, *, transform: str = "none", parameters: int = 1, **keys: Any) -> AmountsHead:
    spec = HeadSpec(
        8, 5, parameters, (6,), True, 0.0, token_width=7, summing=SUMMING, transform=transform
    )
    made = heads[kind](spec)
    assert isinstance(made, AmountsHead)
    made.begin(scaler(transform), masses().mean(axis=0).tolist(), 12.0)
    return made.eval()


def scaler(transform: str = "none") -> TargetScaler:
    return TargetScaler.fit(masses(), transform)


def shaken(made: AmountsHead) -> AmountsHead:
    """The head with random weights, as after training."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return made


@pytest.mark.parametrize("transform", ["none", "sqrt", "log1p"])
@pytest.mark.parametrize("kind", KINDS)
def test_before_training_they_say_the_training_means(kind: str, transform: str):
    seen = views((2, 2, 2))  # 12 places each
    said = head(kind, transform=transform)(torch.randn(3, 8), seen)
    units = scaler(transform).inverse(said[..., 0].detach().numpy())
    np.testing.assert_allclose(units, np.tile(masses().mean(axis=0), (3, 1)), rtol=1e-4)


@pytest.mark.parametrize("transform", ["none", "sqrt", "log1p"])
@pytest.mark.parametrize("kind", KINDS)
def test_identities_hold_and_nothing_is_negative(kind: str, transform: str):
    made = shaken(head(kind, transform=transform))
    said = made(torch.randn(3, 8), views())
    units = scaler(transform).inverse(said[..., 0].detach().numpy())
    assert (units > -1e-4).all()
    np.testing.assert_allclose(units @ BALANCE.matrix.T, 0.0, atol=1e-4 * units.max())
    assert np.ptp(units[:, 4]) > 0.1


@pytest.mark.parametrize("transform", ["none", "sqrt", "log1p"])
@pytest.mark.parametrize("kind", ["parts", "ratio"])
def test_before_training_they_say_what_a_linear_start_says(kind: str, transform: str):
    made, truth = head(kind, transform=transform), masses()[20:23]
    start = torch.from_numpy(scaler(transform).transform(truth)).float()
    said = made(torch.randn(3, 8), views(), start)[..., 0].detach()
    units = scaler(transform).inverse(said.numpy())
    free = np.array([BALANCE.targets.index(name) for name in BALANCE.free])
    begun = np.maximum(truth[:, free], LEAST_SHARE * masses().mean(axis=0)[free])
    np.testing.assert_allclose(units, begun @ BALANCE.summing.T, rtol=1e-3, atol=1e-3)


def test_a_ratio_divides_its_total():
    made, fused = shaken(head("ratio")), torch.randn(3, 8)
    amounts = made.amounts(fused, views(), made.usual)
    raw = made.layers(fused).double()
    usual = made.usual.double()
    total = usual.sum() * torch.log1p(torch.exp(raw[:, :1] + np.log(np.e - 1)))
    shares = usual * raw[:, 1:].exp()
    expected = total * shares / shares.sum(dim=1, keepdim=True)
    torch.testing.assert_close(amounts.double(), expected, rtol=1e-5, atol=1e-5)


def test_a_density_is_additive_over_views_and_places():
    made = shaken(head("density"))
    assert isinstance(made, DensityHead)
    seen = views()
    together = made.amounts(torch.zeros(3, 8), seen, made.usual)
    places = made.density(seen)
    assert places.shape == (6, 2, 3, 3)
    assert (places >= 0).all()
    by_hand = torch.stack([places[seen.owner == k].sum(dim=(0, 1, 2)) for k in range(3)])
    torch.testing.assert_close(together, by_hand)
    assert seen.tokens is not None
    for place in range(6):  # a view's places do not know of other views
        alone = SampleViews(
            seen.vectors[:1],
            seen.photos[:1],
            torch.zeros(1, dtype=torch.int64),
            torch.zeros(1, dtype=torch.int64),
            seen.tokens[place : place + 1],
        )
        torch.testing.assert_close(made.density(alone)[0], places[place])


def test_a_density_needs_tokens():
    seen = views()
    bare = SampleViews(seen.vectors, seen.photos, seen.owner, seen.slot)
    with pytest.raises(ValueError, match="tokens"):
        head("density")(torch.zeros(3, 8), bare)


@pytest.mark.parametrize("kind", KINDS)
def test_a_spread_comes_from_the_samples_vector(kind: str):
    made = head(kind, parameters=2)
    said = made(torch.randn(3, 8), views())
    assert said.shape == (3, 5, 2)
    assert (said[..., 1] == 0).all()
    assert made.uses_fused
    said = shaken(made)(torch.randn(3, 8), views())
    assert said[..., 1].std() > 0.1


@pytest.mark.parametrize("transform", ["sqrt", "log1p", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_stay_finite_where_nothing_is(kind: str, transform: str):
    made = head(kind, transform=transform)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.sub_(200.0)
    said = made(torch.ones(3, 8), views())
    said.square().sum().backward()
    for parameter in made.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_targets_without_identities_stand_for_themselves():
    spec = HeadSpec(8, 2, 1, (), False, 0.0)
    made = heads["parts"](spec)
    assert isinstance(made, AmountsHead)
    made.begin(TargetScaler("none", (0.0, 0.0), (1.0, 1.0)), (3.0, 0.0), 1.0)
    said = made(torch.randn(4, 8), views())[..., 0]
    torch.testing.assert_close(said, torch.tensor([[3.0, 0.0]]).expand(4, 2))


def test_a_density_finds_out_what_places_hold():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(120, 2, 3, 7, generator=generator)
    held = 4.0 * tokens[..., :3].exp().clamp(max=4.0)  # three amounts a place
    targets = held.sum(dim=(1, 2)).double().numpy() @ BALANCE.summing.T
    scale = TargetScaler.fit(targets, "none")
    made = heads["density"](HeadSpec(8, 5, 1, (), True, 0.0, token_width=7, summing=SUMMING))
    assert isinstance(made, DensityHead)
    made.begin(scale, targets.mean(axis=0).tolist(), 6.0)
    owner = torch.arange(120)
    seen = SampleViews(torch.zeros(120, 6), torch.zeros(120, 6), owner, 0 * owner, tokens)
    truth = torch.from_numpy(scale.transform(targets)).float()
    optimiser = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (made(torch.zeros(120, 8), seen)[..., 0] - truth).square().mean()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.4  # of a variance of 1
    places = made.density(seen).detach()
    assert np.corrcoef(places[..., 0].flatten(), held[..., 0].flatten())[0, 1] > 0.85


def painted(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Places that are one of six paints, and the share of the picture that three of them cover.

    Two numbers and noise tell a paint: three are means of others, so no line parts one from all.

    Returns:
        Tokens ``(count, 8, 8, 7)`` and areas in percent ``(count, 3)``.
    """
    generator = torch.Generator().manual_seed(seed)
    paints = torch.tensor([[0, 0], [2, 0], [1, 2], [1, 0], [0.5, 1], [1.5, 1]], dtype=torch.float32)
    shares = torch.rand(count, 6, generator=generator) ** 2
    drawn = torch.multinomial(shares, 64, replacement=True, generator=generator).reshape(-1, 8, 8)
    spoken = paints[drawn] @ torch.randn(2, 7, generator=torch.Generator().manual_seed(9))
    noise = 0.1 * torch.randn(spoken.shape, generator=generator)
    areas = torch.stack([(drawn == paint).float().mean(dim=(1, 2)) for paint in (3, 4, 0)], dim=1)
    return spoken + noise, 100.0 * areas


def fitted_r2(kind: str, summing: tuple[tuple[int, ...], ...]) -> float:
    """R² on new pictures of painted areas and their total, after as many steps as a run makes."""
    sets = [painted(256, 1), painted(128, 2)]
    units = [torch.cat([areas, areas.sum(dim=1, keepdim=True)], dim=1) for _, areas in sets]
    scale = TargetScaler.fit(units[0].double().numpy(), "none")
    truth = [torch.from_numpy(scale.transform(one.double().numpy())).float() for one in units]
    made = heads[kind](HeadSpec(7, 4, 1, (128,), True, 0.0, token_width=7, summing=summing))
    if isinstance(made, AmountsHead):
        made.begin(scale, units[0].mean(dim=0).tolist(), 64.0)

    def say(tokens: torch.Tensor) -> torch.Tensor:
        owner, vectors = torch.arange(len(tokens)), tokens.mean(dim=(1, 2))
        centre = sets[0][0].mean(dim=(0, 1, 2))
        scaled = (vectors - centre) / sets[0][0].mean(dim=(1, 2)).std(dim=0)
        seen = SampleViews(scaled, scaled, owner, 0 * owner, tokens)
        said: torch.Tensor = made(scaled, seen)[..., 0]
        return said

    optimiser = torch.optim.AdamW(made.parameters(), lr=3e-3, weight_decay=1e-3)
    for step in range(30 * 8):
        rows = torch.arange(32) + 32 * (step % 8)
        optimiser.zero_grad()
        (say(sets[0][0][rows]) - truth[0][rows]).square().mean().backward()
        optimiser.step()
    with torch.no_grad():
        errors = (say(sets[1][0]) - truth[1]).square().mean(dim=0)
    return float((1.0 - errors / truth[1].var(dim=0)).mean())


def test_tokens_at_one_size_keep_what_they_said():
    tokens = torch.randn(4, 2, 3, 7)
    scaled = with_size(tokens)
    torch.testing.assert_close(scaled[..., :7] * scaled[..., 7:].exp(), tokens)
    torch.testing.assert_close(scaled[..., :7].square().mean(dim=-1), torch.ones(4, 2, 3))
    assert torch.isfinite(with_size(torch.zeros(1, 7))).all()


def test_a_density_measures_painted_areas():
    summing = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1))
    density = fitted_r2("density", summing)
    assert density > 0.95
    assert fitted_r2("mlp", ()) < density - 0.05  # the mean of places does not tell the areas
