from __future__ import annotations

import shutil
import tomllib

import numpy as np
import polars as pl
import pytest
import torch

from quadrat import workflow
from quadrat.engine import Backend
from quadrat.errors import DataError, ExperimentError, RunError, Stopped
from quadrat.experiment import parse
from quadrat.occurrence import fitting, training
from quadrat.occurrence.findings import findings
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.occurrence.samples.dataset import prepare
from quadrat.occurrence.transfer.first_epochs import learn_new_species
from quadrat.occurrence.transfer.matching import SpeciesMatch, read_renamed
from quadrat.recipes import recipe_text
from quadrat.runs import Run, read_json

from .geomodel import random_state, write_checkpoint

FEW, MANY = 250, 50
"""labels.min_observations that leave fewer and more species."""


def trained(made, folder) -> Run:
    run = Run.create(folder, made)
    training.train(made, run, history=run.history())
    return run


@pytest.fixture(scope="module")
def base(experiment, tmp_path_factory) -> Run:
    """A run that knows the common species only."""
    made = experiment(labels={"min_observations": FEW}, score={"bootstrap": 0, "baselines": False})
    return trained(made, tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tuned(experiment, base):
    """Makes experiments that start from the base."""

    def make(**sections):
        sections["start"] = {"run": str(base.folder), **sections.get("start", {})}
        sections["score"] = {"bootstrap": 0, "baselines": False}
        sections.setdefault("labels", {"min_observations": MANY})
        return experiment(**sections)

    return make


def asked(run: Run) -> tuple[list[str], np.ndarray]:
    predictor = OccurrencePredictor.load(run.folder, device="cpu")
    lat, lon = np.meshgrid(np.linspace(-80, 80, 7), np.linspace(-170, 170, 9))
    answers = predictor.probabilities(lat.ravel(), lon.ravel(), 13)
    return list(predictor.vocabulary.codes), answers


def test_hardly_any_training_keeps_the_answers(tuned, base, tmp_path):
    made = tuned(labels={"min_observations": FEW}, optimiser={"epochs": 1, "learning_rate": 1e-12})
    run = trained(made, tmp_path)
    codes, answers = asked(run)
    before, expected = asked(base)
    assert codes == before
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    assert run.history().records()[0]["epoch"] == 0
    report = read_json(run.path("start.json"))
    assert report["by_code"] == len(codes) and report["new"] == report["kept"] == []


def test_a_fine_tuned_run_knows_new_species_and_is_better_for_it(tuned, base, tmp_path):
    run = trained(tuned(start={"new_species_epochs": 1}, optimiser={"epochs": 1}), tmp_path)
    known, all_codes = asked(base)[0], asked(run)[0]
    report = read_json(run.path("start.json"))
    assert set(known) < set(all_codes)
    assert report["new"] == [code for code in all_codes if code not in known]
    records = run.history().records()
    assert records[-1]["map"] > records[0]["map"] > 0.1


def test_new_species_learn_first_and_alone(tuned, base):
    made = tuned(start={"new_species_epochs": 1})
    data = prepare(made)
    start = fitting.read_start(made, data)
    network, _ = fitting.build_network(made, data, start)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    new = torch.zeros(len(data.vocabulary), dtype=torch.bool)
    new[start.match.new] = True
    assert 0 < new.sum() < len(new)
    prevalence = (data.counts + 0.5) / (len(data.partition.train) * 48 + 1)
    np.testing.assert_allclose(
        before["species.bias"].sigmoid()[new], prevalence[new.numpy()], rtol=1e-4
    )
    assert not before["species.weight"][new].any()
    backend = Backend.create("cpu", "fp32")
    learn_new_species(made, data, network, start, backend, state=None)
    for name, value in network.state_dict().items():
        if name.startswith("species."):
            assert torch.equal(value[~new], before[name][~new]), name
            assert not torch.isclose(value[new], before[name][new]).all(), name
        else:
            assert torch.equal(value, before[name]), name
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_species_that_are_not_learnt_stay(experiment, base, tuned, tmp_path):
    made = tuned(labels={"min_observations": 3 * FEW}, optimiser={"epochs": 1})
    run = trained(made, tmp_path)
    codes, answers = asked(run)
    report = read_json(run.path("start.json"))
    learnt = len(codes) - len(report["kept"])
    assert report["kept"] and codes[learnt:] == report["kept"]
    assert set(codes) == set(asked(base)[0])
    old = OccurrencePredictor.load(base.folder, device="cpu")
    new = OccurrencePredictor.load(run.folder, device="cpu")
    rows = [old.vocabulary.codes.index(code) for code in report["kept"]]
    assert torch.equal(new.network.species.weight[learnt:], old.network.species.weight[rows])
    assert torch.equal(new.network.species.bias[learnt:], old.network.species.bias[rows])
    assert pl.read_parquet(run.path("species.parquet"))["code"].to_list() == codes
    assert np.isfinite(answers).all()


def test_or_they_are_dropped(tuned, base, tmp_path):
    made = tuned(
        labels={"min_observations": 3 * FEW}, start={"missing": "drop"}, optimiser={"epochs": 1}
    )
    run = trained(made, tmp_path)
    report = read_json(run.path("start.json"))
    assert report["dropped"] and set(report["dropped"]).isdisjoint(asked(run)[0])
    facts = workflow.check(made).facts
    assert f"{len(report['dropped'])} dropped" in facts["start"]


@pytest.mark.parametrize("stop", [3, 60])
def test_a_stopped_fine_tuning_goes_on_to_the_same_bits(tuned, tmp_path, monkeypatch, stop):
    from quadrat.engine import training as loop

    made = tuned(start={"new_species_epochs": 1}, optimiser={"epochs": 1})
    whole, cut = trained(made, tmp_path / "whole"), Run.create(tmp_path / "cut", made)
    steps = iter(range(10_000))
    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_requested", lambda: next(steps) == stop)
        with pytest.raises(Stopped):
            training.train(made, cut, history=cut.history())
    training.train(made, cut, history=cut.history())
    for name in ("metrics.json", "folds/0/model.safetensors", "start.json"):
        assert cut.path(name).read_bytes() == whole.path(name).read_bytes(), name


def test_the_run_must_not_change_in_between(tuned, base, tmp_path, experiment):
    moved = tmp_path / "base"
    shutil.copytree(base.folder, moved)
    made = tuned(start={"run": str(moved)}, optimiser={"epochs": 1})
    run = Run.create(tmp_path, made)
    training._record_start(run, made, prepare(made), Backend.create("cpu", "fp32"))
    file = moved / "folds" / "0" / "model.safetensors"
    file.write_bytes(base.path("folds/0/model.safetensors").read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(RunError, match="has changed since"):
        training.train(made, run, history=run.history())


def test_the_shape_comes_from_the_run(tuned, base, experiment, planet):
    document = {
        "family": "occurrence",
        "data": {"table": str(planet.table)},
        "start": {"run": str(base.folder)},
    }
    made = parse(document)
    assert made.network.scale == 0.125
    assert parse(made.content()).network == made.network
    others = {"scale": 0.5, "week_harmonics": 3}
    with pytest.raises(ExperimentError, match="has another network") as caught:
        parse({**document, "network": others})
    for key, value in others.items():
        assert f"network.{key} = {value} instead of {getattr(made.network, key)}" in str(
            caught.value
        )
    with pytest.raises(ExperimentError, match="does nothing without run"):
        parse({**document, "start": {"missing": "drop"}})


def test_the_recipe_takes_the_network_of_any_run(base, planet):
    document = tomllib.loads(recipe_text("fine-tune"))
    made = parse(document, [f"data.table={planet.table}", f"start.run={base.folder}"])
    assert made.network == base.experiment().network


def test_a_run_that_is_not_there(experiment, tmp_path):
    made = experiment(start={"run": str(tmp_path / "none")})
    with pytest.raises(RunError, match="not a run folder"):
        training.train(made, Run.create(tmp_path, made), history=Run(tmp_path).history())


OLD = Vocabulary(
    (
        Species("a", "Corvus alba", "A"),
        Species("b", "Corvus bruna", "B"),
        Species("c", "Corvus cana", "C"),
        Species("d", "Corvus dubia", "D"),
    )
)


def vocabulary(*codes: str) -> Vocabulary:
    return Vocabulary(tuple(Species(code, code, code) for code in codes))


def test_species_match_by_code_then_by_synonym(tmp_path):
    table = tmp_path / "synonyms.csv"
    table.write_text("old,new\nCorvus Bruna,north\nb,south\nc,merged\nd,merged\nc,a\n")
    renamed = read_renamed(table, OLD, {"merged", "north", "south"})
    assert renamed == {"north": [1], "south": [1], "merged": [2, 3], "a": [2]}
    new = vocabulary("a", "merged", "north", "other", "south")
    match = SpeciesMatch.of(OLD, new, renamed)
    assert match.sources == ((0,), (2, 3), (1,), (), (1,))
    assert match.new == [3] and match.left == ()
    assert match.by_synonym == {"merged": ("c", "d"), "north": ("b",), "south": ("b",)}
    assert SpeciesMatch.of(OLD, vocabulary("b"), {}).left == (0, 2, 3)
    assert match.idle == ("'c' → 'a' (that run knows 'a' itself)",)
    rarer = SpeciesMatch.of(OLD, vocabulary("merged", "north"), {**renamed, "a": []})
    assert rarer.idle == ("'b' → 'south' (it is not learnt)",)


def test_synonyms_of_nobody(tmp_path):
    table = tmp_path / "synonyms.csv"
    table.write_text("old,new\nb,\nzz,north\n")
    with pytest.raises(DataError) as caught:
        read_renamed(table, OLD, {"north"})
    assert "row 2" in str(caught.value) and "row 3: 'zz' → 'north'" in str(caught.value)


def test_new_codes_that_nobody_knows(tmp_path):
    table = tmp_path / "synonyms.csv"
    table.write_text("old,new\nb,nroth\nc,a\nd,north\n")
    with pytest.raises(DataError) as caught:
        read_renamed(table, OLD, {"north"})
    assert "row 2: 'b' → 'nroth'. Did you mean 'north'?" in str(caught.value)
    assert "row 3" not in str(caught.value) and "row 4" not in str(caught.value)


def test_synonyms_that_come_to_nothing_are_told(tuned, base, tmp_path):
    known = asked(base)[0]
    table = tmp_path / "synonyms.csv"
    table.write_text(f"old,new\n{known[0]},{known[1]}\n")
    made = tuned(start={"synonyms": str(table)})
    data = prepare(made)
    warnings = findings(made, data, fitting.read_start(made, data)).warnings
    said = [line for line in warnings if line.startswith("start.synonyms: 1 row does nothing")]
    assert len(said) == 1 and f"'{known[0]}' → '{known[1]}'" in said[0]
    table.write_text(f"old,new\n{known[0]},never\n")
    with pytest.raises(DataError, match="row 2"):
        fitting.read_start(made, data)


def test_an_imported_model_goes_on_learning(experiment, planet, tmp_path):
    codes = ["nobody", *sorted(prepare(experiment()).vocabulary.codes)[:5]]
    state = random_state(0.125, species=len(codes), environment=3)
    file = write_checkpoint(tmp_path / "checkpoint_best.pt", state, codes, 0.125)
    imported = workflow.import_model(file, out=tmp_path / "runs")
    made = experiment(
        start={"run": str(imported.folder)},
        network={},
        optimiser={"epochs": 1},
        score={"bootstrap": 0, "baselines": False},
    )
    assert made.network.encoding == "harmonic"
    run = trained(made, tmp_path / "tuned")
    assert read_json(run.path("start.json"))["kept"] == ["nobody"]
    assert asked(run)[0][-1] == "nobody"


def test_a_habitat_head_needs_the_meaning_of_its_environment(experiment, tmp_path):
    codes = sorted(prepare(experiment()).vocabulary.codes)[:5]
    state = random_state(0.125, species=len(codes), environment=3, habitat=True)
    file = write_checkpoint(tmp_path / "checkpoint_best.pt", state, codes, 0.125)
    imported = workflow.import_model(file, out=tmp_path / "runs")
    made = experiment(start={"run": str(imported.folder)})
    data = prepare(made)
    with pytest.raises(RunError, match="quadrat import --data"):
        fitting.build_network(made, data, fitting.read_start(made, data))
