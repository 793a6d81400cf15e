from __future__ import annotations

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from quadrat.errors import DataError
from quadrat.scoring import mean_baseline, metadata_baseline, weighted_r2
from quadrat.scoring.baselines import ALPHAS
from quadrat.splits import make_folds


def table(rows: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    numeric = rng.normal([0.5, 10.0], [0.1, 6.0], size=(rows, 2))
    state = rng.choice(["Tas", "Vic", "WA"], size=(rows, 1))
    effect = {"Tas": 0.0, "Vic": 15.0, "WA": 40.0}
    level = np.array([effect[s] for s in state[:, 0]])
    targets = np.stack([20 + 2 * numeric[:, 1] + level, 5 + numeric[:, 0]], axis=1)
    return targets + rng.normal(0, 2, targets.shape), numeric, state


def test_the_mean_is_that_of_the_training_part() -> None:
    targets, _, _ = table()
    targets[5, 0] = np.nan
    folds = make_folds("random", 90, folds=3)
    predicted = mean_baseline(targets, folds.parts())
    for fold, rows in zip(folds, np.split(predicted, 3), strict=True):
        expected = np.nanmean(targets[fold.training_part], axis=0)
        np.testing.assert_allclose(rows, np.tile(expected, (30, 1)))


def test_metadata_give_the_ridge_of_sklearn() -> None:
    targets, numeric, state = table()
    folds = make_folds("random", 90, folds=3)
    predicted = metadata_baseline(targets, numeric, state, folds.parts())
    assert (numeric[:, 0] > 0).all()
    assert (numeric[:, 1] < 0).any()
    columns = (numeric, np.log1p(numeric[:, :1]), state)
    both = np.hstack([column.astype(object) for column in columns])
    for fold, rows in zip(folds, np.split(predicted, 3), strict=True):
        encode = ColumnTransformer(
            [
                ("n", StandardScaler(), [0, 1, 2]),
                ("c", OneHotEncoder(handle_unknown="ignore"), [3]),
            ]
        )
        for column in range(2):
            model = make_pipeline(encode, RidgeCV(alphas=ALPHAS))
            model.fit(both[fold.training_part], targets[fold.training_part, column])
            expected = model.predict(both[fold.held_out])
            low, high = np.percentile(targets[fold.training_part, column], [0, 100])
            np.testing.assert_allclose(rows[:, column], expected.clip(low, high), rtol=1e-9)


def test_metadata_beat_the_mean_where_they_tell_something() -> None:
    targets, numeric, state = table()
    folds = make_folds("random", 90)
    truth = targets[folds.rows()]
    metadata = metadata_baseline(targets, numeric, state, folds.parts())
    assert weighted_r2(truth, metadata, [1, 0]) > 0.9
    assert weighted_r2(truth, mean_baseline(targets, folds.parts()), [1, 0]) < 0.05


def test_missing_metadata_are_flagged_and_held_out_rows_teach_nothing() -> None:
    targets, numeric, state = table()
    labels = state.astype(object)
    numeric[::4, 0] = np.nan
    labels[::5, 0] = None
    targets[numeric[:, 0] != numeric[:, 0], 1] += 30.0
    folds = make_folds("random", 90)
    predicted = metadata_baseline(targets, numeric, labels, folds.parts())
    assert weighted_r2(targets[folds.rows()], predicted, [0, 1]) > 0.9
    spoilt = targets.copy()
    spoilt[folds[0].held_out] = 1e6
    again = metadata_baseline(spoilt, numeric, labels, folds.parts()[:1])
    np.testing.assert_array_equal(again, predicted[: len(again)])


def test_predictions_stay_in_the_range_of_training() -> None:
    targets, numeric, state = table()
    amounts = np.maximum(targets - 40.0, 0.0)[:, :1]
    folds = make_folds("random", 90)
    predicted = metadata_baseline(amounts, numeric, state, folds.parts())
    assert predicted.min() == 0.0
    assert predicted.max() <= amounts.max()


def test_logarithms_are_learnt_and_come_back() -> None:
    targets, numeric, state = table()
    folds = make_folds("random", 90).parts()
    amounts = np.exp(targets / 20.0)
    predicted = metadata_baseline(amounts, numeric, state, folds, transform="log1p")
    plain = metadata_baseline(np.log1p(amounts), numeric, state, folds)
    np.testing.assert_allclose(predicted, np.expm1(plain), rtol=1e-9)
    assert predicted.std() > 0.5 * amounts.std()


def test_an_unseen_category_and_no_metadata_at_all() -> None:
    targets, numeric, state = table()
    folds = make_folds("leave-group-out", 90, groups=state[:, 0])
    assert np.isfinite(metadata_baseline(targets, numeric, state, folds.parts())).all()
    alone = metadata_baseline(targets, None, None, folds.parts())
    np.testing.assert_allclose(alone, mean_baseline(targets, folds.parts()))


def test_a_target_that_training_never_shows_is_named() -> None:
    targets, _, _ = table()
    targets[:, 1] = np.nan
    with pytest.raises(DataError, match="target 1"):
        mean_baseline(targets, make_folds("random", 90).parts())
