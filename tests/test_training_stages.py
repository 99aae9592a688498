"""The two-stage protocol: what is chosen on validation, and that nothing else is looked at."""

import csv
import dataclasses

import numpy as np
import pytest
import synthetic
import torch
from training_setup import small_options, train

from avzsl.datasets.features import FeatureSet, Sequences
from avzsl.methods.base import methods
from avzsl.training.checkpoint import load_model
from avzsl.training.protocol import ProtocolOptions
from avzsl.types import SUBSETS, ClassEmbeddings

TEST_SUBSETS = [SUBSETS.index("test_seen"), SUBSETS.index("test_unseen")]


def read_history(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def take(features: FeatureSet, rows: np.ndarray) -> FeatureSet:
    """Return a feature set of some of the clips."""

    def part(sequences: Sequences) -> Sequences:
        lengths = np.diff(sequences.offsets)[rows]
        return Sequences(
            features_ND=sequences.features_ND[sequences.tokens(rows)],
            times_N=sequences.times_N[sequences.tokens(rows)],
            offsets=np.concatenate([[0], np.cumsum(lengths)]),
        )

    labels = features.labels[rows]
    kept = np.unique(labels)
    return FeatureSet(
        video_ids=tuple(features.video_ids[r] for r in rows),
        class_names=tuple(features.class_names[k] for k in kept),
        labels=np.searchsorted(kept, labels),
        subsets=features.subsets[rows],
        audio=part(features.audio),
        visual=part(features.visual),
        features_ids=features.features_ids,
    )


def test_stage_2_runs_up_to_the_epoch_that_stage_1_chose(tmp_path):
    model_path, history_path = train(tmp_path)
    history, model = read_history(history_path), load_model(model_path)
    first = [row for row in history if row["stage"] == "1"]
    second = [row for row in history if row["stage"] == "2"]
    assert [int(row["epoch"]) for row in first] == [1, 2, 3, 4]
    hm = [float(row["val_hm"]) for row in first]
    chosen = hm.index(max(hm))  # the first of several equals: strictly higher wins
    assert model.epoch == chosen + 1
    assert model.bias == float(first[chosen]["bias"])
    assert [int(row["epoch"]) for row in second] == list(range(1, chosen + 2))
    assert all(row["val_hm"] == row["bias"] == "" for row in second)
    assert all(float(row["val_unseen"]) <= float(row["val_zsl"]) + 1e-9 for row in first)
    assert float(first[0]["loss"]) == float(first[0]["alignment"])


@pytest.mark.parametrize("change", ["removed", "permuted"])
@pytest.mark.parametrize("kind", ["devise", "ez-avgzl"])
def test_test_clips_change_no_model_and_no_bias(tmp_path, kind, change):
    features, classes = synthetic.make(synthetic.TINY)
    is_test = np.isin(features.subsets, TEST_SUBSETS)
    if change == "removed":
        changed = take(features, np.flatnonzero(~is_test))
    else:
        labels = features.labels.copy()
        labels[is_test] = np.random.default_rng(0).permutation(labels[is_test])
        changed = dataclasses.replace(features, labels=labels)
        changed.audio.features_ND[changed.audio.tokens(np.flatnonzero(is_test))] += 1.0
    wanted = train(tmp_path / "all", synthetic.make(synthetic.TINY), kind)
    got = train(tmp_path / "changed", (changed, classes), kind)
    for one, other in zip(wanted, got, strict=True):
        assert one.read_bytes() == other.read_bytes()


def spoilt(classes: ClassEmbeddings, names) -> ClassEmbeddings:
    vectors = classes.vectors.copy()
    vectors[[classes.names.index(name) for name in names]] *= -3.0
    return ClassEmbeddings(names=classes.names, vectors=vectors)


@pytest.mark.parametrize("kind", ["devise", "ez-avgzl"])
def test_embeddings_of_unseen_classes_enter_no_loss(tmp_path, kind):
    features, classes = data = synthetic.make(synthetic.TINY)
    model, history = train(tmp_path / "a", data, kind)
    # The test classes: nothing of either stage may change but the stored embeddings.
    other = spoilt(classes, features.classes_of("test_unseen"))
    other_model, other_history = train(tmp_path / "b", (features, other), kind)
    assert history.read_bytes() == other_history.read_bytes()
    weights = load_model(model).method.state_dict()
    for name, value in load_model(other_model).method.state_dict().items():
        assert torch.equal(value, weights[name])
    # The unseen validation classes: no loss of stage 1 may change.
    other = spoilt(classes, features.classes_of("val_unseen"))
    _, third = train(tmp_path / "c", (features, other), kind)
    losses, third_losses = (
        [row["loss"] for row in read_history(path) if row["stage"] == "1"]
        for path in (history, third)
    )
    assert losses == third_losses


def test_the_method_sees_the_seen_classes_only(tmp_path, monkeypatch):
    features, classes = synthetic.make(synthetic.TINY)
    fed = []
    devise = methods.get("devise")
    original = devise.losses

    def spy(self, batch, classes_KW):
        fed.append(classes_KW)
        return original(self, batch, classes_KW)

    monkeypatch.setattr(devise, "losses", spy)
    train(tmp_path, (features, classes), "devise")
    for names in (features.classes_of("train"), features.classes_of("train", "val_unseen")):
        vectors = classes.vectors[[classes.names.index(name) for name in names]]
        assert any(np.array_equal(given, vectors) for given in fed)
    assert {len(given) for given in fed} == {6, 9}


def test_the_seed_decides(tmp_path):
    first, again, other = (
        train(tmp_path / str(i), seed=seed)[0].read_bytes() for i, seed in enumerate([0, 0, 1])
    )
    assert first == again
    assert first != other


def test_stage_2_starts_from_the_same_weights_as_stage_1(tmp_path, monkeypatch):
    cls, made = methods.get("ez-avgzl"), []
    original = cls.__init__

    def spy(self, options, dims):
        original(self, options, dims)
        made.append({name: value.clone() for name, value in self.state_dict().items()})

    monkeypatch.setattr(cls, "__init__", spy)
    train(tmp_path)
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())


def test_statistics_come_from_the_training_clips_of_the_stage(tmp_path):
    features, _ = synthetic.make(synthetic.TINY)
    model = load_model(train(tmp_path)[0])
    rows = features.rows_of("train", "val_seen", "val_unseen")
    tokens = features.audio.features_ND[features.audio.tokens(rows)]
    torch.testing.assert_close(model.preparation.audio.mean_D, tokens.mean(0))
    raw = train(tmp_path / "raw", protocol=ProtocolOptions(standardise=False))[0]
    assert load_model(raw).preparation is None


def test_validation_at_every_nth_epoch_and_the_last(tmp_path):
    protocol = ProtocolOptions(evaluate_every=3, calibration="grid", grid_max=1.0, grid_steps=6)
    model, history = train(tmp_path, protocol=protocol)
    validated = [row["epoch"] for row in read_history(history) if row["val_hm"]]
    assert validated == ["3", "4"]
    assert load_model(model).bias in np.linspace(0, 1, 6)


def relabel(features: FeatureSet, before: str, after: str) -> FeatureSet:
    """Return the set with all clips of one subset moved to another."""
    subsets = features.subsets.copy()
    subsets[features.rows_of(before)] = SUBSETS.index(after)
    return dataclasses.replace(features, subsets=subsets)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("val_unseen", "test_unseen", "no clips with features in 'val_unseen'"),
        ("val_seen", "test_seen", "no clips with features in 'val_seen'"),
        ("train", "test_seen", "no training clips with features in train"),
        ("test_seen", "train", "Classes of 'val_unseen' were trained on: 'class 06'"),
    ],
)
def test_a_split_that_cannot_be_judged_is_refused(tmp_path, before, after, message):
    features, classes = synthetic.make(synthetic.TINY)
    with pytest.raises(ValueError, match=message):
        train(tmp_path, (relabel(features, before, after), classes))
    assert not list(tmp_path.iterdir())


def test_a_class_without_training_clips_is_named_and_left_out(tmp_path, caplog):
    features, classes = synthetic.make(synthetic.TINY)
    lost = (features.labels == 2) & (features.subsets == SUBSETS.index("train"))
    train(tmp_path, (take(features, np.flatnonzero(~lost)), classes))
    assert "Classes of val_seen without a training clip take no part: 'class 02'" in caplog.text


def test_a_class_without_embedding_is_named(tmp_path):
    features, classes = synthetic.make(synthetic.TINY)
    fewer = ClassEmbeddings(names=classes.names[1:], vectors=classes.vectors[1:])
    with pytest.raises(LookupError, match="no class embedding for 'class 00'"):
        train(tmp_path, (features, fewer))


def test_unknown_options_and_methods_are_refused(tmp_path):
    with pytest.raises(LookupError, match="Did you mean 'devise'"):
        train(tmp_path, kind="devize")
    with pytest.raises(ValueError, match="depht"):
        train(tmp_path, options=small_options("ez-avgzl") | {"depht": 1})


def test_divergence_is_said(tmp_path):
    options = small_options("devise") | {"normalise": False}
    options["training"] = options["training"] | {"learning_rate": 1e38}
    with pytest.raises(ValueError, match=r"diverged in epoch \d of stage 1.*learning_rate"):
        train(tmp_path, kind="devise", options=options)
