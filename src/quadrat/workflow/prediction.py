"""Answers for new tables, and submission files made from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quadrat.engine import current_progress
from quadrat.errors import RunError, UsageError
from quadrat.predictors import Run, load_run
from quadrat.tables import check_writable, write_table
from quadrat.workflow.places import Threshold, check_threshold, from_points

if TYPE_CHECKING:
    import polars as pl


def predict(
    run: Path | str,
    *,
    data: Path | str,
    out: Path | str | None = None,
    threshold: Threshold | None = None,
    distance: bool = False,
    per_hectare: bool = False,
) -> pl.DataFrame:
    """Answers for the rows of a table.

    Args:
        run: The run folder.
        data: Photos: a table as in training, without targets and with or without metadata.
            Occurrence: columns lat, lon, and week or date.
        out: Where to write the answers, ``.parquet`` or ``.csv``.
        threshold: Occurrence only: presence (1) from this probability on instead of
            probabilities; ``"species"``: from each species' own, which models of points lack.
        distance: Occurrence only, but not for runs that were trained on points: add
            ``distance_km`` to the nearest training cell with records.
        per_hectare: Photos only: add kg per hectare, as ``[field]`` of the run says; and where it
            names paddocks, write ``paddocks.csv`` beside ``out``.

    Raises:
        RunError: The run has not finished, or has no thresholds of species.
        UsageError: The run knows no thresholds, distances or hectares, or does not say how large
            a quadrat is.
        DataError: The table cannot be used.
    """
    check_threshold(threshold)
    if out is not None:
        check_writable(out)
    opened = load_run(run)
    if per_hectare and (threshold is not None or distance):
        raise UsageError("kg per hectare are for photos, thresholds and distances for places.")
    if per_hectare:
        frame = _per_hectare(opened, Path(data), None if out is None else Path(out))
    elif threshold is None and not distance:
        frame = opened.predict(Path(data))
    elif opened.answers != "occurrence":
        raise UsageError("thresholds and distances are for runs of the occurrence family only.")
    else:
        frame = _of_places(opened, Path(data), threshold, distance=distance)
    _tell_unlike(frame)
    if out is not None:
        write_table(frame, out)
    return frame


def _of_places(
    run: Run, data: Path, threshold: Threshold | None, *, distance: bool
) -> pl.DataFrame:
    """Answers with a threshold, with distances, or with both."""
    if from_points(run):
        _refuse_for_points(threshold, distance)
    predictor = run.predictor
    cut = predictor.thresholds if threshold == "species" else threshold
    answers = predictor.predict(data, distance=True) if distance else predictor.predict(data)
    frame: pl.DataFrame = answers.frame(cut)
    return frame


def _refuse_for_points(threshold: Threshold | None, distance: bool) -> None:
    if distance:
        raise UsageError(
            "a run that was trained on points answers from covariates and knows no distance to "
            "records: leave --distance out."
        )
    if threshold == "species":
        raise UsageError(
            "a run that was trained on points has no thresholds of species: give a number, as in "
            "--threshold 0.3."
        )


def _tell_unlike(frame: pl.DataFrame) -> None:
    """Warns of samples that are unlike the training data, where the answers say so."""
    if not {"sample", "unlike"} <= set(frame.columns):
        return
    samples = frame.unique("sample")
    count = int(samples["unlike"].sum())
    if count:
        current_progress().warn(
            f"{count} of {samples.height} samples are unlike the training data (distance above 1); "
            "their predictions and intervals may be far off"
        )


def _per_hectare(run: Run, data: Path, out: Path | None) -> pl.DataFrame:
    if run.experiment().family != "photos":
        raise UsageError("kg per hectare are for runs of the photos family only.")
    from quadrat.photos.field.tables import hectare_frame, paddock_frame, read_shared

    predictor = run.predictor
    samples = predictor.samples(data)
    predictions = predictor.predict_samples(samples)
    frame = hectare_frame(predictions.frame(), predictor.experiment)
    if out is not None and predictor.experiment.field.paddock is not None:
        shared = read_shared(run.folder)
        means = paddock_frame(predictor.experiment, samples, predictions, shared)
        write_table(means, out.parent / "paddocks.csv")
    return frame


def submit(
    source: Path | str,
    *,
    test: Path | str,
    like: Path | str | None = None,
    out: Path | str | None = None,
) -> Path:
    """Makes a submission file and checks it: every id once, none invented, all numbers finite.

    Args:
        source: A run of the photos family, or a table of predictions that it wrote.
        test: The table whose rows ask for predictions.
        like: A sample submission, whose columns, ids and order the file must have.
        out: The file; by default ``submission.csv`` in the run folder, or beside the table.

    Returns:
        The submission file.

    Raises:
        RunError: The run is of another family or has not finished.
        DataError: Ids are missing, doubled or unknown, or a prediction is not finite.
    """
    source, test = Path(source), Path(test)
    sample = Path(like) if like is not None else None
    if out is not None:
        check_writable(out)
    if source.is_dir():
        run = load_run(source)
        if run.predictor.family != "photos":
            raise RunError(
                f"{source} is a run of the family {run.predictor.family}; submissions are made "
                "from runs of the photos family. Use `quadrat predict` for places."
            )
        from quadrat.photos.submission import submission_from_predictor

        frame = submission_from_predictor(run.predictor, test, sample)
        folder = run.folder
    else:
        from quadrat.photos.submission import submission_from_table

        frame = submission_from_table(source, test, sample)
        folder = source.parent
    path = Path(out) if out is not None else folder / "submission.csv"
    write_table(frame, path)
    return path
