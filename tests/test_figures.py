"""Figures: what is drawn, where names stand, and that bad input is refused in one clear line."""

import dataclasses
import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from avzsl.metrics.embedded import EmbeddedClips
from avzsl.metrics.plateaus import BiasCurve
from avzsl.report import figures
from avzsl.report.collect import Evaluation, History, label_runs
from avzsl.report.figures import placement, style
from avzsl.report.figures.confusion import order_of_classes
from avzsl.report.figures.embeddings import shown_classes
from avzsl.types import ClassEmbeddings

NAMES = ("a", "b $1 and $2", "c", "d", "e", "ü, (f)")
IS_SEEN = (True, True, True, True, False, False)


def evaluation(method="ez", seed=0, **changes):
    rng = np.random.default_rng(seed)
    confusion = rng.integers(0, 5, (6, 6)) + 3 * np.eye(6, dtype=np.int64)
    confusion[3] = 0  # a class without clips
    values = {
        "run_id": f"{method}-{seed}",
        "method": method,
        "seed": seed,
        "epoch": 2,
        **dict.fromkeys(("seen", "unseen", "hm", "zsl"), 40.0 + seed),
        "zsl_chance": 50.0,
        "clips_seen": 10,
        "clips_unseen": 5,
        "classes_seen": 3,
        "classes_unseen": 2,
        "class_names": NAMES,
        "is_seen": IS_SEEN,
        "confusion": confusion,
        "notes": (),
        "bias": 0.2,
        "bias_curve": BiasCurve(
            bias=np.array([-1.0, 0.2, 1.0]),
            seen=np.array([60.0, 40.0, 0.0]),
            unseen=np.array([0.0, 40.0, 70.0]),
        ),
    }
    return Evaluation(**values | changes)


def embedded(method="ez", seed=0, **changes):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2, 4, 5], [3, 3, 6, 4, 5])
    values = {
        "run_id": f"{method}-{seed}",
        "class_names": NAMES,
        "is_seen": IS_SEEN,
        "video_ids": tuple(map(str, range(len(labels)))),
        "labels": labels,
        "clips": rng.standard_normal((len(labels), 60)).astype(np.float32),
        "classes": rng.standard_normal((6, 60)).astype(np.float32),
    }
    return EmbeddedClips(**values | changes)


def history(run):
    return History(
        method=run.method,
        seed=run.seed,
        chosen_epoch=2,
        epochs=(1, 2, 3),
        loss=(3.0, 2.0, 1.0),
        val_epochs=(2, 3),
        val_hm=(30.0, 20.0),
    )


class Drawn(list):
    before_pdf = None


@pytest.fixture()
def drawn(monkeypatch):
    """Figures as they are written as PNG; ``drawn.before_pdf`` makes of them what the PDF is."""
    found = Drawn()
    save = style.save

    def keep(figure, out, before_pdf=None):
        save(figure, out)
        found.append(figure)
        found.before_pdf = before_pdf

    for module in ("bias", "classes", "confusion", "embeddings", "methods", "training"):
        monkeypatch.setattr(f"avzsl.report.figures.{module}.save", keep)
    return found


def shown_text(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible()]


PLOTS = {
    "methods": lambda runs, out: figures.plot_methods(figures.by_method(runs), out),
    "training": lambda runs, out: figures.plot_training(
        figures.by_method([history(run) for run in runs]), out
    ),
    "confusion": lambda runs, out: figures.plot_confusion(figures.by_method(runs), out),
    "bias": lambda runs, out: figures.plot_bias(figures.by_method(runs), out),
    "classes": lambda runs, out: figures.plot_classes(figures.by_method(runs), out),
    "embeddings": lambda runs, out: figures.plot_embeddings(
        [(run.method, [embedded(run.method, run.seed)]) for run in runs[::2]], out
    ),
}


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize("count", [1, 5, 16])
def test_a_figure_is_drawn_for_any_number_of_methods(kind, count, tmp_path, drawn):
    if kind == "embeddings" and count == 16:
        pytest.skip("slow, and alike")
    runs = [evaluation(f"m{i}", seed) for i in range(count) for seed in (0, 1)]
    out = tmp_path / "x.png"
    PLOTS[kind](runs, out)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert out.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    shown = " ".join(shown_text(drawn[0]))
    assert all(f"m{i}" in shown for i in range(count))


@pytest.mark.parametrize("kind", ["methods", "confusion", "bias", "classes", "training"])
def test_no_tick_label_covers_another(kind, tmp_path, drawn):
    names = tuple(f"quite a long class name {i:03d}" for i in range(150))
    confusion = np.ones((150, 150), np.int64)
    changes = {"class_names": names, "is_seen": (True,) * 120 + (False,) * 30}
    runs = [evaluation(f"m{i}", 0, confusion=confusion, **changes) for i in range(7)]
    PLOTS[kind](runs, tmp_path / "x.png")
    renderer = FigureCanvasAgg(drawn[0]).get_renderer()
    drawn[0].draw_without_rendering()
    for axes in drawn[0].axes:
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            boxes = [
                label.get_window_extent(renderer)
                for label in labels
                if label.get_visible() and label.get_text()
            ]
            for one, other in itertools.pairwise(boxes):
                assert not one.overlaps(other)
    named = [text for text in shown_text(drawn[0]) if text in names]
    assert kind not in ("confusion", "classes") or 0 < len(set(named)) < 150
    if drawn.before_pdf is not None:
        drawn.before_pdf()
        assert set(names) <= set(shown_text(drawn[0]))


def test_a_method_looks_the_same_in_all_figures_and_like_no_other():
    looks = [style.look(i) for i in range(50)]
    assert len({(own.colour, own.hatch) for own in looks}) == 50
    assert len({(own.colour, own.marker) for own in looks}) == 50
    assert len({own.marker for own in looks[: len(style.MARKERS)]}) == len(style.MARKERS)


def test_equal_runs_give_equal_files(tmp_path):
    runs = [evaluation("a"), evaluation("b")]
    for kind in ("confusion", "embeddings"):
        for name in ("x.png", "y.png"):
            PLOTS[kind](runs, tmp_path / name)
        for suffix in (".png", ".pdf"):
            one, other = (tmp_path / f"{name}{suffix}" for name in ("x", "y"))
            assert one.read_bytes() == other.read_bytes()


def test_like_classes_stand_together_and_seen_ones_first():
    angles = np.array([0.0, 2.0, 0.1, 2.1, 1.0, 1.1])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    lengths = np.array([[1], [5], [2], [1], [9], [1]], np.float32)
    embeddings = ClassEmbeddings(names=(*NAMES[::-1], "x"), vectors=np.zeros((7, 2), np.float32))
    embeddings.vectors[:6] = (vectors * lengths)[::-1]
    order = order_of_classes(NAMES, IS_SEEN, embeddings).tolist()
    assert sorted(order) == list(range(6))
    assert set(order[:4]) == {0, 1, 2, 3}
    steps = np.abs(np.diff(angles[order[:4]]))
    assert steps.sum() == pytest.approx(2.1), "neighbours are as near as they can be"
    assert order_of_classes(NAMES, IS_SEEN, None).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_class_without_an_embedding_is_named():
    embeddings = ClassEmbeddings(names=NAMES[:5], vectors=np.eye(5, dtype=np.float32))
    with pytest.raises(LookupError, match=r"no class embedding for 'ü, \(f\)'"):
        order_of_classes(NAMES, IS_SEEN, embeddings)


def test_rows_of_a_confusion_are_shares_of_all_seeds(tmp_path, drawn):
    runs = [evaluation("ez", seed) for seed in (0, 1)]
    figures.plot_confusion([("variant", runs)], tmp_path / "x.png")
    image = drawn[0].axes[0].images[0].get_array()
    counts = runs[0].confusion + runs[1].confusion
    assert image[0].tolist() == pytest.approx((100 * counts[0] / counts[0].sum()).tolist())
    assert image.sum(1).tolist() == pytest.approx([100, 100, 100, 0, 100, 100])


def test_accuracy_of_classes_is_the_mean_over_seeds_sorted(tmp_path, drawn):
    runs = [evaluation("ez", seed) for seed in (0, 1)]
    figures.plot_classes(figures.by_method(runs), tmp_path / "x.png")
    left, right = drawn[0].axes
    bars = [[bar.get_height() for bar in axes.patches] for axes in (left, right)]
    means = np.mean([run.per_class for run in runs], axis=0)
    assert bars[0] == pytest.approx(sorted(means[:3], reverse=True)), "a class without clips is out"
    assert bars[1] == pytest.approx(sorted(means[4:], reverse=True))


def test_different_classes_do_not_share_a_figure(tmp_path):
    other = evaluation("b", class_names=("z", *NAMES[1:]))
    for kind in ("confusion", "classes"):
        with pytest.raises(ValueError, match=r"ez and b .* different classes"):
            PLOTS[kind]([evaluation(), other], tmp_path / "x.png")


def test_an_old_evaluation_has_no_bias_curve(tmp_path):
    with pytest.raises(ValueError, match=r"older version\. Run: snakemake --forcerun evaluate"):
        PLOTS["bias"]([evaluation(bias_curve=None)], tmp_path / "x.png")


def test_unseen_classes_get_a_colour_first():
    assert shown_classes(embedded()) == ["ü, (f)", "e", "c", "a", "b $1 and $2"]
    many = tuple(f"{i:02d}" for i in range(30))
    run = embedded(class_names=many, is_seen=(True,) * 10 + (False,) * 20, labels=np.arange(30))
    assert shown_classes(run) == list(many[10:22])


def test_methods_without_a_space_say_so(tmp_path, drawn):
    panels = [("none", [embedded(clips=None, classes=None)]), ("alone", [embedded(classes=None)])]
    figures.plot_embeddings(panels, tmp_path / "x.png")
    none, alone = drawn[0].axes[:2]
    assert "no space" in none.texts[0].get_text()
    assert alone.get_title() == "alone (clips alone)"


def test_names_do_not_cover_each_other():
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    points = np.random.default_rng(0).uniform(0.42, 0.58, (9, 2))
    placement.fix_layout(figure)
    names = [f"name {i}" for i in range(9)]
    placement.place_names(figure, axes, points, names)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert len(boxes) == 9
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])
        assert not any(one.contains(*pixel) for pixel in axes.transData.transform(points))


def test_names_without_room_are_left_to_the_legend():
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    placement.fix_layout(figure)
    placement.place_names(figure, axes, np.full((60, 2), 0.5), ["a name of its own"] * 60)
    assert 3 < len(axes.texts) < 60


def test_labels_replace_methods():
    runs = [evaluation("ez@1a2b3c4d"), evaluation("ez@1a2b3c4d", 1), evaluation("tcaf")]
    assert label_runs(runs, None) == runs
    one = label_runs(runs, {"ez@1a2b3c4d": "with"})
    assert [run.method for run in one] == ["with", "with", "tcaf"]
    each = label_runs(runs, ["x", "x", "y"])
    assert [run.method for run in each] == ["x", "x", "y"]
    assert dataclasses.replace(each[0], method="ez@1a2b3c4d").run_id == runs[0].run_id


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"kda": "KDA"}, "a label for 'kda', but the evaluations are of ez, tcaf"),
        ({"ez": "tcaf"}, "Two methods have the same label"),
        (["x"], "a label for each of the 2 evaluations"),
        ("xy", "a label for each of the 2 evaluations"),
    ],
)
def test_wrong_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        label_runs([evaluation("ez"), evaluation("tcaf")], labels)
