"""Statistics of a table: what evaluations keep of each clip, the file, and who may be compared."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import synthetic
from training_setup import CPU, small_options, train

from avzsl.cli.main import main
from avzsl.evaluation import evaluate_model
from avzsl.report.collect import read_evaluations
from avzsl.report.statistics import COLUMNS, join_outcomes, statistics_rows


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    """Evaluations of two methods with two seeds, as files."""
    folder, features = tmp_path_factory.mktemp("runs"), synthetic.make(synthetic.TINY)[0]
    paths = []
    for kind, epochs in (("sje", 1), ("devise", 8)):
        for seed in (0, 1):
            options = small_options(kind, epochs=epochs)
            model, _ = train(folder / f"{kind}{seed}", kind=kind, options=options, seed=seed)
            paths.append(folder / f"{kind}{seed}.json")
            evaluate_model(model, features, device=CPU, out=paths[-1])
    return paths


def changed(path, out, change):
    """Write an evaluation with something changed."""
    content = json.loads(path.read_text())
    change(content)
    out.write_text(json.dumps(content))
    return out


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return tuple(reader.fieldnames), list(reader)


def test_outcomes_of_single_clips_give_the_numbers_of_the_evaluation(evaluations):
    runs = read_evaluations(evaluations)
    features = synthetic.make(synthetic.TINY)[0]
    rows = np.concatenate([features.rows_of("test_seen"), features.rows_of("test_unseen")])
    for run in runs:
        found = run.outcomes
        names = [run.class_names[k] for k in found.true]
        assert names == [features.class_names[k] for k in features.labels[rows]]
        confusion = np.zeros_like(run.confusion)
        np.add.at(confusion, (found.true, found.predicted), 1)
        np.testing.assert_array_equal(confusion, run.confusion)
        assert not np.array(run.is_seen)[found.zsl].any()
    methods, outcomes = join_outcomes(runs)
    assert methods == ["sje", "devise"]
    assert outcomes.right.shape == (2, 2, len(rows))


def test_rows_hold_the_means_intervals_and_differences(evaluations):
    runs = read_evaluations(evaluations)
    rows = {(row["method"], row["metric"]): row for row in statistics_rows(runs, resamples=300)}
    assert len(rows) == 8
    means = {
        (method, metric): np.mean([getattr(r, metric) for r in runs if r.method == method])
        for method, metric in rows
    }
    best = max(("sje", "devise"), key=lambda method: means[method, "hm"])
    for (method, metric), row in rows.items():
        assert float(row["mean"]) == pytest.approx(means[method, metric], abs=0.006)
        assert float(row["ci_low"]) <= float(row["mean"]) <= float(row["ci_high"])
        assert (row["reference"], row["seeds"], row["resamples"]) == (best, "2", "300")
        if method == best:
            assert row["difference"] == row["p_clips"] == row["p_seeds"] == ""
            continue
        gap = means[method, metric] - means[best, metric]
        assert float(row["difference"]) == pytest.approx(gap, abs=0.006)
        shown = float(row["difference"])
        assert float(row["difference_ci_low"]) <= shown <= float(row["difference_ci_high"])
        assert 1 / 301 <= float(row["p_clips"]) <= float(row["p_clips_holm"]) <= 1
        assert float(row["p_seeds"]) >= 0.5
    other = statistics_rows(runs, resamples=300, reference="sje")
    assert {row["reference"] for row in other} == {"sje"}


def test_the_command_writes_a_table_and_the_same_as_markdown(evaluations, tmp_path, capsys):
    out = tmp_path / "t.statistics.csv"
    command = ["statistics", "--resamples", "200", "--table-id", "T", "--out", str(out), "--"]
    assert main([*command, *map(str, evaluations)]) == 0
    columns, rows = read(out)
    assert columns == COLUMNS
    assert rows == statistics_rows(read_evaluations(evaluations), resamples=200)
    text = out.with_suffix(".md").read_text(encoding="utf-8")
    assert text.strip() == capsys.readouterr().out.strip()
    for row in rows:
        assert f"{row['mean']} [{row['ci_low']}, {row['ci_high']}]" in text
    assert json.loads((tmp_path / ".t.statistics.csv.id.json").read_text())["table_id"] == "T"
    first = out.read_bytes()
    assert main([*command, *map(str, evaluations)]) == 0
    assert out.read_bytes() == first


def test_one_seed_has_no_test_over_seeds(evaluations):
    runs = read_evaluations([evaluations[0], evaluations[2]])
    assert {row["p_seeds"] for row in statistics_rows(runs, resamples=50)} == {""}


def test_evaluations_that_cannot_be_compared_are_refused(evaluations, tmp_path):
    def rows(*paths, **kwargs):
        return statistics_rows(read_evaluations(paths), resamples=10, **kwargs)

    one, two, other = evaluations[:3]
    old = changed(two, tmp_path / "old.json", lambda content: content.pop("outcomes"))
    with pytest.raises(ValueError, match=r"seed 1 does not keep .* --forcerun evaluate"):
        rows(one, old)
    clips = changed(
        other, tmp_path / "c.json", lambda content: content["outcomes"].update(clips_id="x")
    )
    with pytest.raises(ValueError, match="devise with seed 0 was scored on other clips"):
        rows(one, clips)
    with pytest.raises(ValueError, match=r"sje has the seeds \[0, 1\], devise has \[0\]"):
        rows(one, two, other)
    with pytest.raises(ValueError, match="two evaluations of sje with seed 0"):
        rows(one, one)
    with pytest.raises(LookupError, match="no method 'alee' among sje, devise"):
        rows(one, other, reference="alee")


def test_old_evaluations_still_make_a_table(evaluations, tmp_path):
    old = changed(evaluations[0], tmp_path / "old.json", lambda content: content.pop("outcomes"))
    found, whole = read_evaluations([old, evaluations[0]])
    assert found.outcomes is None
    same = dataclasses.replace(whole, outcomes=None)
    assert (found.hm, found.notes, found.class_names) == (same.hm, same.notes, same.class_names)
