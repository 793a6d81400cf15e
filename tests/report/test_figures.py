from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from quadrat.report import occurrence_figures, photos_figures, score_figures
from quadrat.report.photos_figures import PhotoTile
from quadrat.report.style import to_svg
from quadrat.report.thumbnails import jpeg, thumbnail

RNG = np.random.default_rng(3)
TRUTH = RNG.gamma(2, 12, 40)
PREDICTED = TRUTH + RNG.normal(0, 5, 40)


def words_of(figure: Figure) -> str:
    texts = []
    for axes in figure.axes:
        texts += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        texts += [t.get_text() for t in axes.texts]
        texts += [t.get_text() for t in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return "\n".join(texts)


def test_predicted_against_true_says_how_good_and_in_which_unit() -> None:
    figure = photos_figures.predicted_against_true(
        TRUTH,
        PREDICTED,
        target="Dry_Green_g",
        unit="g",
        labels=["fold 1", "fold 2"] * 20,
        lower=PREDICTED - 100,
        upper=PREDICTED + 100,
    )
    told = words_of(figure)
    rmse = np.sqrt(np.mean((TRUTH - PREDICTED) ** 2))
    r2 = 1 - np.sum((TRUTH - PREDICTED) ** 2) / np.sum((TRUTH - TRUTH.mean()) ** 2)
    assert f"R² {r2:.2f}" in told
    assert f"RMSE {rmse:.2f} g" in told
    assert "100 % in interval" in told
    assert "true Dry_Green_g (g)" in told
    assert "predicted Dry_Green_g (g)" in told
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["fold 1", "fold 2"]


def test_constant_truth_has_no_r2() -> None:
    assert np.isnan(photos_figures.explained(np.ones(3), np.zeros(3)))
    figure = photos_figures.predicted_against_true(np.ones(3), np.zeros(3), target="x")
    assert "R² nan" in words_of(figure)
    to_svg(figure)


def test_residuals_are_sorted_and_readable_for_thirty_groups() -> None:
    groups = [f"group {n % 30:02d}" for n in range(300)]
    residuals = np.array([float(n % 30) for n in range(300)])
    figure = photos_figures.residuals_by_group(residuals, groups, target="Dry_Total_g", unit="g")
    axes = figure.axes[0]
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels == [f"group {n:02d}  (10)" for n in range(30)]
    assert axes.get_xlabel() == "predicted − true Dry_Total_g (g)"
    per_label = figure.get_size_inches()[1] * 72 / 30
    assert per_label > axes.get_yticklabels()[0].get_fontsize()


def test_shift_between_folds_leaves_out_the_unknown() -> None:
    truth = {"a_g": np.where(np.arange(40) < 20, np.nan, TRUTH), "b": TRUTH}
    figure = photos_figures.shift_between_folds(
        truth, ["fold 1", "fold 2"] * 20, units={"a_g": "g"}
    )
    told = words_of(figure)
    assert "true (g)" in told
    assert "fold 1" in told
    to_svg(figure)


def test_contact_sheet_has_a_grey_tile_that_says_so() -> None:
    picture = np.zeros((30, 60, 3), np.uint8)
    tiles = [PhotoTile("a", 1.0, 2.0, picture), PhotoTile("b", 3.0, 4.0, None, "photo not found")]
    figure = photos_figures.contact_sheet(tiles, title="Best", target="x_g", unit="g")
    told = words_of(figure)
    assert "photo not found" in told
    assert "true 3.00, predicted 4.00 g" in told


def test_thumbnails(tmp_path: Path) -> None:
    photo = tmp_path / "p.jpg"
    Image.new("RGB", (1000, 500), (200, 30, 30)).save(photo)
    picture, why = thumbnail(photo, side=100)
    assert picture is not None
    assert picture.shape == (50, 100, 3)
    assert why == ""
    assert jpeg(picture) == jpeg(picture)
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    assert thumbnail(tmp_path / "broken.jpg") == (None, "photo not readable")
    assert thumbnail(tmp_path / "none.jpg") == (None, "photo not found")
    assert thumbnail(None) == (None, "path not known")


def test_scores_beside_baselines_say_which_way_is_better() -> None:
    for higher, told in ((True, "higher is better →"), (False, "← lower is better")):
        figure = score_figures.scores_beside_baselines(
            ["This model", "The mean"],
            [0.5, float("nan")],
            [(0.4, 0.6), None],
            score="weighted R²",
            higher_is_better=higher,
        )
        assert told in words_of(figure)
        assert "0.500" in words_of(figure)
        to_svg(figure)


def test_curves_take_what_there_is() -> None:
    records = [
        {"fold": 0, "epoch": 1, "loss": 2.0},
        {"fold": 0, "epoch": 2, "loss": None},
        {"fold": 0, "epoch": 3, "loss": 1.0},
        {"fold": 1, "step": 50, "loss": 5},
        {"loss": float("nan")},
        {"note": "resumed", "loss": True},
    ]
    found = score_figures.curves(records, "loss")
    assert list(found) == ["0", "1"]
    assert found["0"][0].tolist() == [1, 3]
    assert found["0"][1].tolist() == [2, 1]
    assert found["1"][0].tolist() == [50]
    assert score_figures.curves(records, "map") == {}


@pytest.mark.parametrize("count", [1, 5, 9])
def test_learning_curves_mark_the_best_epoch(count: int) -> None:
    epochs = np.arange(1.0, 6.0)
    series = {str(n): (epochs, np.array([0.1, 0.4, 0.9, 0.3, 0.2])) for n in range(count)}
    figure = score_figures.learning_curves(series, title="Score", label="R²", best="max")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "epoch"
    marked = [line for line in axes.lines if line.get_marker() == "o"]
    assert {float(line.get_xdata()[0]) for line in marked} == {3.0}
    assert (axes.get_legend() is not None) == (1 < count <= 6)


def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_axis() -> None:
    series = {"0": (np.arange(3.0), np.array([1000.0, 10.0, 1.0]))}
    figure = score_figures.learning_curves(series, title="Loss", label="loss")
    assert figure.axes[0].get_yscale() == "log"
    assert "1,000" in to_svg(figure)


def test_reliability_in_percent() -> None:
    predicted = np.array([0.0, 0.001, 0.1, 0.9])
    figure = occurrence_figures.reliability(
        predicted, np.array([0.0, 0.002, 0.1, 0.8]), np.array([10, 1000, 100, 10])
    )
    told = words_of(figure)
    for label in ("predicted probability (%)", "observed frequency (%)", "count"):
        assert label in told
    curve = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert curve.get_xdata().tolist() == pytest.approx([0.1, 10, 90])
    assert figure.axes[0].get_legend() is None
    to_svg(occurrence_figures.reliability(np.zeros(2), np.zeros(2), np.zeros(2)))


def test_reliability_before_calibration_stands_beside_it() -> None:
    bins = np.array([0.01, 0.5]), np.array([0.02, 0.4]), np.array([10, 10])
    figure = occurrence_figures.reliability(*bins, before=(bins[0], bins[1] / 2, bins[2]))
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert drawn["before calibration"].tolist() == pytest.approx([1, 20])
    assert drawn["as answered"].tolist() == pytest.approx([2, 40])
    assert figure.axes[0].get_legend() is not None


def test_species_figures_leave_out_what_was_not_judged() -> None:
    values = np.array([0.2, np.nan, 0.8])
    told = words_of(occurrence_figures.score_histogram(values, label="average precision"))
    assert "Average precision over species" in told
    assert "median 0.50 · n 2" in told
    assert "number of species" in told
    drawn = occurrence_figures.score_against_records(np.array([5, 9, 0.0]), values, label="AP")
    assert "n 1" in words_of(drawn)
    to_svg(occurrence_figures.score_histogram(np.array([np.nan]), label="AP"))


def test_the_year_has_a_bar_a_species_and_months() -> None:
    probabilities = RNG.uniform(0, 1, (3, 48))
    figure = occurrence_figures.phenology(["a", "b $x$", "c"], probabilities, place="here")
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b $x$", "c"]
    assert [t.get_text() for t in axes.get_xticklabels(minor=True)][:2] == ["Jan", "Feb"]
    assert "week of the year" in axes.get_xlabel()
    length = occurrence_figures.list_length(np.zeros(48), place="here")
    assert "expected species (count)" in words_of(length)
    to_svg(length)


def test_numbers_of_species_are_whole() -> None:
    figure = occurrence_figures.score_histogram(np.array([0.2, 0.8]), label="average precision")
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    shown = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert shown == [round(tick) for tick in shown]


@pytest.mark.parametrize("counts", [(52, 181), (300, 420), (900, 1100), (3, 60), (1, 90_000)])
def test_a_count_axis_has_several_numbers(counts: tuple[int, int]) -> None:
    records = np.linspace(*counts, 20)
    figure = occurrence_figures.score_against_records(records, np.linspace(0, 1, 20), label="AP")
    to_svg(figure)
    axis = figure.axes[0].xaxis
    low, high = axis.get_view_interval()
    shown = [
        t.get_text()
        for at, t in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        if low <= at <= high
    ]
    assert 2 <= len(shown) <= 6, shown
    assert len(set(shown)) == len(shown)
