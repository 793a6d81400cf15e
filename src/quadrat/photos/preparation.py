"""From an experiment to samples and folds, with everything that a check finds out on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.errors import DataError
from quadrat.experiment import CheckReport
from quadrat.photos.cleaning.findings import CleanedPhoto, CleaningLog
from quadrat.photos.cleaning.settings import cleaning_of
from quadrat.photos.samples.audit import PhotoAudit, audit_photos, audit_targets, keep_readable
from quadrat.photos.samples.external import compared, load_external, shared_photos
from quadrat.photos.samples.loading import Samples, load_samples, without_values
from quadrat.photos.samples.parts import Part, joined_parts
from quadrat.photos.sampling.order import sample_order
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.submission import rehearse_submission
from quadrat.runtime.balance import Balance, Identity
from quadrat.runtime.cleaning.photos import NOTHING, Cleaning
from quadrat.splits import Folds, combine, find_leaks, make_folds, shift_report


@dataclass(frozen=True)
class Prepared:
    """What training starts from.

    Attributes:
        samples: The samples that can be used.
        folds: How they are parted.
        report: What was found.
        external: Samples of other data sets, to learn from in every fold.
        cleaned: What cleaning does to each photo, where that was asked for.
    """

    samples: Samples
    folds: Folds
    report: CheckReport
    external: Part | None = None
    cleaned: tuple[CleanedPhoto, ...] = ()

    @property
    def groups(self) -> NDArray[np.str_]:
        """Group of every sample ``(N,)``; a sample that stands for itself is its own."""
        if self.folds.groups is not None:
            return self.folds.groups
        return np.array([str(row) for row in range(len(self.samples))], dtype=np.str_)


def prepare(experiment: PhotosExperiment, *, tell_cleaning: bool = False) -> Prepared:
    """Reads samples, looks at photos and targets, and makes the folds.

    Args:
        experiment: The experiment.
        tell_cleaning: Also clean every photo, to tell what that does.

    Raises:
        DataError: The tables cannot be read, the folds cannot be made, or too few photos are
            readable.
    """
    samples = load_samples(experiment, experiment.data.table, require_targets=True)
    report = CheckReport(facts={"table": f"{len(samples):,} samples, {_views(samples):,} photos"})
    log = CleaningLog(cleaning_of(experiment.clean) if tell_cleaning else NOTHING)
    audit: PhotoAudit | None = None
    copies = np.full(len(samples), None, dtype=object)
    if experiment.opens_photos:
        samples, audit = _readable(experiment, samples, report, log, "training")
        copies = audit.copies[audit.readable]
    folds = folds_of(experiment, samples)
    report.warnings.extend(str(leak) for leak in find_leaks(folds, "the photo", copies))
    report.warnings.extend(_odd_targets(experiment, samples))
    _report_folds(experiment, samples, folds, report)
    external = _external(experiment, samples, audit, report, log)
    report.errors.extend(_demands(experiment, folds))
    report.errors.extend(_order_problems(experiment, samples, folds, external))
    _report_test(experiment, report, log)
    log.tell(report)
    return Prepared(samples, folds, report, external, tuple(log.photos))


def _odd_targets(experiment: PhotosExperiment, samples: Samples) -> list[str]:
    identities = tuple(Identity(i.total, i.parts) for i in experiment.balance)
    balance = Balance(experiment.data.targets, identities)
    return audit_targets(samples, balance, tolerance=experiment.balance_method.tolerance)


def _external(
    experiment: PhotosExperiment,
    samples: Samples,
    audit: PhotoAudit | None,
    report: CheckReport,
    log: CleaningLog,
) -> Part | None:
    """Reads the tables of other data sets, and looks at them as at our own."""
    parts, table = [], []
    for section in experiment.external:
        part, name = load_external(experiment, section), section.table.name
        audits = None
        if audit is not None:
            kept, theirs = _readable(experiment, part.samples, report, log, name)
            audits = audit, theirs
            if len(kept) < len(part):
                part = part.take(theirs.readable)
        report.errors.extend(shared_photos(samples, part.samples, audits, name))
        report.warnings.extend(_odd_targets(experiment, part.samples))
        report.facts[name] = f"{len(part):,} samples of {section.table}, only to learn from"
        table += compared(experiment.data.targets, samples, part.samples, name)
        parts.append(part)
    if table:
        report.tables["Targets of other data sets, in our units"] = table
    return joined_parts(parts) if parts else None


def folds_of(experiment: PhotosExperiment, samples: Samples) -> Folds:
    """The folds that ``[split]`` asks for.

    Raises:
        DataError: The samples cannot be parted so.
    """
    split, data = experiment.split, experiment.data

    def column(name: str | None) -> NDArray[Any] | None:
        if name is None:
            return None
        if name in data.targets:
            return samples.targets[:, data.targets.index(name)]
        return samples.column(name)

    spatial = split.kind == "spatial-block"
    return make_folds(
        split.kind,
        len(samples),
        groups=combine(*(samples.column(name) for name in split.by)) if split.by else None,
        by=split.by,
        folds=split.folds,
        repeats=split.repeats,
        stratify=column(split.stratify),
        block_km=split.block_km,
        lat=column(data.lat) if spatial else None,
        lon=column(data.lon) if spatial else None,
        column=column(split.column),
        test=split.test,
        inner=split.inner,
        seed=experiment.seed if split.seed is None else split.seed,
    )


def _views(samples: Samples) -> int:
    return sum(len(views) for views in samples.paths)


def _readable(
    experiment: PhotosExperiment,
    samples: Samples,
    report: CheckReport,
    log: CleaningLog,
    what: str,
) -> tuple[Samples, PhotoAudit]:
    """Looks at every photo; notes what is wrong, and leaves out what cannot be read.

    Returns:
        The samples that are left, and what was found about all.
    """
    least = experiment.data.min_readable
    audit = _audit(experiment, samples, log.clean)
    kept = keep_readable(samples, audit, least)
    report.warnings.extend(audit.warnings(least))
    log.add(what, kept, audit.marks)
    if len(kept) < len(samples):
        report.warnings.append(
            f"{len(samples) - len(kept)} {what} samples are left out: their photos cannot be read"
        )
    return kept, audit


def _audit(experiment: PhotosExperiment, samples: Samples, clean: Cleaning) -> PhotoAudit:
    with current_progress().task("looking at photos", _views(samples)) as task:
        return audit_photos(
            samples,
            clean=clean,
            workers=experiment.run.workers,
            progress=lambda done, total: task.advance(),
        )


def _report_folds(
    experiment: PhotosExperiment, samples: Samples, folds: Folds, report: CheckReport
) -> None:
    data = experiment.data
    shift = shift_report(
        folds,
        dict(zip(data.targets, samples.targets.T, strict=True)),
        dict(zip(data.categorical, samples.categorical.T, strict=True)),
    )
    report.facts["split"] = folds.words
    report.warnings.extend(shift.warnings)
    report.tables["Targets in training and held-out part"] = shift.targets
    if shift.categories:
        report.tables["Categories in training and held-out part"] = shift.categories


def _demands(experiment: PhotosExperiment, folds: Folds) -> list[str]:
    """What an experiment needs of its folds."""
    found = []
    if experiment.balance_method.kind == "project-covariance" and not all(
        len(fold.inner) >= 3 for fold in folds
    ):
        found.append(
            "balance_method.kind: 'project-covariance' needs the errors on inner rows; raise "
            "split.inner, or use 'project'"
        )
    return found


def _order_problems(
    experiment: PhotosExperiment, samples: Samples, folds: Folds, external: Part | None
) -> list[str]:
    """Why the training rows of a fold cannot come in the order that is asked for."""
    found = []
    for fold in folds:
        try:
            part = Part(samples.take(fold.train), external=external)
            sample_order(experiment, part.joined().samples)
        except DataError as error:
            found.append(f"fold {fold.name}: {error}")
    return found


def _report_test(experiment: PhotosExperiment, report: CheckReport, log: CleaningLog) -> None:
    """Looks at the samples that a submission predicts, and at what they lack."""
    data = experiment.data
    if data.test is None:
        return
    samples = load_samples(experiment, data.test, require_targets=False)
    report.facts["test"] = f"{len(samples):,} samples, {_views(samples):,} photos"
    rehearse_submission(samples.ids, data)
    if experiment.opens_photos:
        _readable(experiment, samples, report, log, "test")
    if absent := without_values(samples, data):
        report.warnings.append(
            f"the test table has no {', '.join(absent)}: what to expect there is the score of the "
            "baseline photo_alone, not that of the model"
        )
