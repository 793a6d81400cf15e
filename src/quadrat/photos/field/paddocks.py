"""The mean of a paddock from the predictions for its photos, and how sure it is.

Let ``y_i = ŷ_i + b + ε_i`` be the true mass of photo i of a paddock: ``ŷ_i`` its prediction, ``b``
an error that all photos of the paddock share (its species, its light, its day), ``ε_i`` one of its
own with mean 0. The paddock's mean is ``μ = E[ŷ] + b``, so with photos at random places

    mean(ŷ) − μ = (mean(ŷ) − E[ŷ]) − b,        Var = s² / n + τ²,

``s²`` being the variance of the predictions between photos and ``τ²`` that of the shared error. The
photos' own errors need no term: as far as they blur predictions they are in ``s²``, and what they
leave out averages to nothing over the paddock. More photos shrink the first term only.

``τ²`` comes from held-out errors in groups of photos that share an error, by the one-way analysis
of variance with unequal groups (Searle, Casella and McCulloch 1992, *Variance Components*, ch. 3),
about zero rather than about the mean error, so that a bias of the model counts too. The interval
is Student's, with the degrees of freedom of Satterthwaite (1946, doi:10.2307/3002019).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_MOST = 1000
"""Times as many photos as there are, up to which more are tried."""


@dataclass(frozen=True)
class SharedError:
    """The errors that photos of one group share, from N held-out errors in G groups.

    Attributes:
        between: Mean square between groups about zero, ``Σ n_g ē_g² / G``.
        within: Mean square within groups, ``Σ (e_gi − ē_g)² / (N − G)``.
        groups: G.
        photos: N.
    """

    between: float
    within: float
    groups: int
    photos: int

    @property
    def variance(self) -> float:
        """``τ² = max(0, (between − within) G / N)``."""
        return max(0.0, (self.between - self.within) * self.groups / self.photos)

    @property
    def uncertainty(self) -> float:
        """The square of ``τ²`` over its degrees of freedom, for Satterthwaite's sum."""
        if self.variance == 0.0:
            return 0.0
        share = self.groups / self.photos
        between = (share * self.between) ** 2 / self.groups
        return between + (share * self.within) ** 2 / (self.photos - self.groups)

    @classmethod
    def of(cls, errors: ArrayLike, groups: ArrayLike) -> SharedError | None:
        """From errors ``(N,)`` and their groups ``(N,)``; NaN where the truth is unknown.

        Returns:
            None where it cannot be told: there is one group, or each has one photo.
        """
        errors, groups = np.asarray(errors, dtype=np.float64), np.asarray(groups)
        known = np.isfinite(errors)
        names, place = np.unique(groups[known], return_inverse=True)
        values, count = errors[known], len(names)
        if count < 2 or len(values) == count:
            return None
        sizes = np.bincount(place)
        means = np.bincount(place, values) / sizes
        within = float(((values - means[place]) ** 2).sum() / (len(values) - count))
        between = float((sizes * means**2).sum() / count)
        return cls(between, within, count, len(values))

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        return asdict(self)


@dataclass(frozen=True)
class PaddockMean:
    """The mean over a paddock.

    Attributes:
        photos: Number of its photos n.
        mean: Their mean prediction.
        photo_sd: Standard deviation of the predictions between photos, NaN for one photo.
        shared_sd: Standard deviation of the shared error, NaN where it is not known.
        standard_error: Of the mean, NaN for one photo.
        freedom: Degrees of freedom.
        lower: Lower end of the interval.
        upper: Upper end.
        more_photos: How many more photos halve the interval, if they vary as these do; None where
            no number does, or none can be told.
    """

    photos: int
    mean: float
    photo_sd: float
    shared_sd: float
    standard_error: float
    freedom: float
    lower: float
    upper: float
    more_photos: int | None


def paddock_mean(
    predictions: ArrayLike, shared: SharedError | None, *, level: float
) -> PaddockMean:
    """The mean of a paddock with its interval.

    Args:
        predictions: Of its photos ``(n,)``, at least one.
        shared: The error that its photos share, in the same unit; None: unknown, and the interval
            holds the differences between photos only.
        level: Probability inside the interval.
    """
    values = np.asarray(predictions, dtype=np.float64)
    count, mean = len(values), float(values.mean())
    shared_sd = np.nan if shared is None else float(np.sqrt(shared.variance))
    if count < 2:
        nothing = float("nan")
        return PaddockMean(
            count, mean, nothing, shared_sd, nothing, nothing, nothing, nothing, None
        )
    spread = float(values.var(ddof=1))
    error, freedom = _error(np.array([count]), spread, shared)
    reach = float(_reach(np.array([count]), spread, shared, level)[0])
    return PaddockMean(
        photos=count,
        mean=mean,
        photo_sd=float(np.sqrt(spread)),
        shared_sd=shared_sd,
        standard_error=float(error[0]),
        freedom=float(freedom[0]),
        lower=mean - reach,
        upper=mean + reach,
        more_photos=_more_photos(count, spread, shared, level) if reach > 0.0 else None,
    )


def _more_photos(count: int, spread: float, shared: SharedError | None, level: float) -> int | None:
    counts = np.arange(count, _MOST * count)
    reaches = _reach(counts, spread, shared, level)
    enough = np.flatnonzero(reaches <= 0.5 * reaches[0])
    return int(enough[0]) if len(enough) else None


def _error(
    counts: NDArray[np.int64], spread: float, shared: SharedError | None
) -> tuple[Array, Array]:
    """Standard errors and degrees of freedom of means over so many photos."""
    own = spread / counts
    common, doubt = (0.0, 0.0) if shared is None else (shared.variance, shared.uncertainty)
    variance = own + common
    weight = own**2 / (counts - 1) + doubt
    freedom = np.divide(variance**2, weight, out=(counts - 1.0), where=weight > 0.0)
    return np.sqrt(variance), freedom


def _reach(
    counts: NDArray[np.int64], spread: float, shared: SharedError | None, level: float
) -> Array:
    """Half the width of the interval of means over so many photos."""
    from scipy.special import stdtrit  # a tenth of a second to import, only where it is used

    error, freedom = _error(counts, spread, shared)
    reach: Array = stdtrit(freedom, 0.5 * (1.0 + level)) * error
    return reach
