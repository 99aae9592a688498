"""Figures of studies: what is drawn, and that no text lies on another."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_study import study

from avzsl.report.study import bars, classes, results, sweep
from avzsl.report.tables import write_rows

Row = dict[str, str]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return a list of the figures that are drawn from now on, which are not written."""
    figures: list[Figure] = []
    for module in (bars, sweep):
        monkeypatch.setattr(module, "save", lambda figure, out: figures.append(figure))
    return figures


def accuracy(label: str, dataset: str = "ucf", **values: str) -> Row:
    row = dict.fromkeys(results.COLUMNS, "") | {"study": "s", "label": label, "dataset": dataset}
    return row | {"features": "selavi", "hm_mean": "20.00", "hm_sd": "1.50"} | values


def geometry(label: str, alpha: str, margin: str, **values: str) -> Row:
    row = dict.fromkeys(classes.COLUMNS, "") | {"study": "s", "label": label, "dataset": "ucf"}
    row |= {"features": "selavi", "objective": "margin-ranking", "distance": "cosine"}
    row |= {"alpha": alpha, "margin": margin, "nearest_after": "0.5000", "rank_correlation": "0.9"}
    return row | values


def check_texts(figure: Figure) -> set[str]:
    """Return the texts of a figure after seeing that each is inside and overlaps no other."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    beyond = {
        tick.label1
        for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis))
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }  # matplotlib keeps ticks beyond the ends, which it does not draw
    texts = [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in beyond
    ]
    boxes = [(t.get_text(), t.get_window_extent(renderer).padded(-1)) for t in texts]
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, text
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not first.overlaps(second), f"{one!r} lies on {other!r}"
    return {text for text, _ in boxes}


@pytest.mark.parametrize("methods", [1, 2, 16])
def test_bars_of_all_benchmarks(drawn: list[Figure], methods: int) -> None:
    rows = [
        accuracy(f"a method, {i}", dataset, published_hm="" if i % 3 else f"{15 + i}.25")
        for dataset in ("vggsound", "ucf", "activitynet")
        for i in range(methods)
    ]
    bars.plot_bars(rows, Path("bars.png"))
    (figure,) = drawn
    assert len(figure.axes) == 3
    texts = check_texts(figure)
    assert {"vggsound", "ucf", "activitynet", "a method, 0", "20.00", "15.25", "HM (%)"} <= texts
    assert {"published", "ours, ± sd over seeds"} <= texts
    assert sum(len(axes.patches) for axes in figure.axes) >= 3 * (methods + -(-methods // 3))


def test_bars_without_published_numbers_or_seeds(drawn: list[Figure]) -> None:
    bars.plot_bars(
        [accuracy("a", hm_sd=""), accuracy("b", hm_mean="0.00", hm_sd="")], Path("x.png")
    )
    texts = check_texts(drawn[0])
    assert "published" not in texts and "0.00" in texts
    with pytest.raises(ValueError, match="no rows"):
        bars.plot_bars([], Path("x.png"))


def test_feature_sets_have_panels_of_their_own(drawn: list[Figure]) -> None:
    rows = [
        accuracy(label, features=features)
        for features in ("audiomae-dino-llama", "imagebind", "clap-xclip", "selavi")
        for label in ("without CEP", "with CEP")
    ]
    bars.plot_bars(rows, Path("x.png"))
    assert {"imagebind", "audiomae-dino-llama"} <= check_texts(drawn[0])


STAR = [("0.1", "1"), ("0.5", "1"), ("0.9", "1"), ("0.5", "0"), ("0.5", "0.5")]


def star(**values: str) -> tuple[list[Row], list[Row]]:
    """Return the rows of a sweep as in Table 9."""
    names = [f"{alpha} {margin}" for alpha, margin in STAR]
    accuracies = [accuracy(name, published_hm="19.00") for name in names]
    return accuracies, [
        geometry(name, *setting, **values) for name, setting in zip(names, STAR, strict=True)
    ]


def test_lines_vary_one_setting_only() -> None:
    found = {
        (line.varied, line.name): [row[line.varied] for row in line.points]
        for line in sweep.sweep_lines(*star())
    }
    assert found == {
        ("alpha", "m = 1"): ["0.1", "0.5", "0.9"],
        ("margin", "α = 0.5"): ["0", "0.5", "1"],
    }


def test_other_objectives_are_other_lines() -> None:
    accuracies, found = star()
    found[0]["objective"] = "proximity"
    names = [line.name for line in sweep.sweep_lines(accuracies, found)]
    assert names == ["m = 1, margin-ranking", "α = 0.5, margin-ranking"]


@pytest.mark.parametrize("name", ["study", "method", "encoder", "objective", "distance"])
def test_lines_join_rows_that_are_the_same_otherwise(name: str) -> None:
    def with_value(value: str) -> tuple[list[Row], list[Row]]:
        column = {name: value}
        of_accuracies = column if name in results.COLUMNS else {}
        of_classes = column if name in classes.COLUMNS else {}
        accuracies, found = star(**of_classes)
        for row in (*accuracies, *found):
            row["label"] += f" {value}"
        return [row | of_accuracies for row in accuracies], found

    (one, first), (other, second) = with_value("A"), with_value("B")
    lines = sweep.sweep_lines(one + other, first + second)
    assert [line.name for line in lines] == ["m = 1, A", "m = 1, B", "α = 0.5, A", "α = 0.5, B"]
    for line in lines:
        assert {row[name] for row in line.points} == {line.name[-1]}
        assert len(line.points) == 3


def test_rows_that_would_be_one_point_are_refused() -> None:
    accuracies, found = star()
    again = [accuracy("more dropout")], [geometry("more dropout", "0.50", "1")]
    with pytest.raises(ValueError, match=r"'0\.5 1' and 'more dropout' both have α = 0\.50? and m"):
        sweep.sweep_lines(accuracies + again[0], found + again[1])
    with pytest.raises(ValueError, match=r"s / 0\.1 1 / ucf / selavi stands twice"):
        sweep.sweep_lines(accuracies * 2, found)


def test_the_sweep_is_drawn_with_published_points(drawn: list[Figure]) -> None:
    sweep.plot_sweep(*star(), Path("x.png"))
    (figure,) = drawn
    assert len(figure.axes) == 6
    texts = check_texts(figure)
    assert {"m = 1", "m = 1, published", "α = 0.5", "α", "m", "HM (%)"} <= texts


def test_a_full_grid_on_two_datasets_stays_readable(drawn: list[Figure]) -> None:
    settings = list(itertools.product(("0.1", "0.3", "0.5", "0.7", "0.9"), ("0", "0.5", "1")))
    accuracies, found = [], []
    for dataset, (alpha, margin) in itertools.product(("ucf", "vggsound"), settings):
        name = f"{alpha} {margin}"
        accuracies.append(accuracy(name, dataset, published_hm="19.00"))
        found.append(geometry(name, alpha, margin, dataset=dataset))
    sweep.plot_sweep(accuracies, found, Path("x.png"))
    assert len(drawn[0].axes) == 12
    assert {"ucf", "vggsound", "α = 0.9, published"} <= check_texts(drawn[0])


def test_a_sweep_without_lines_or_with_foreign_classes_is_refused() -> None:
    accuracies, found = star()
    with pytest.raises(ValueError, match="nothing to draw"):
        sweep.plot_sweep(accuracies, found[:1], Path("x.png"))
    with pytest.raises(ValueError, match=r"The classes of s / other / ucf / selavi are of no row"):
        sweep.plot_sweep(accuracies, [geometry("other", "0.1", "1")], Path("x.png"))


def test_the_commands_write_png_and_pdf(tmp_path: Path) -> None:
    accuracies, found = star()
    write_rows(tmp_path / "t.csv", results.COLUMNS, accuracies, table_id="")
    write_rows(tmp_path / "t.classes.csv", classes.COLUMNS, found, table_id="")
    study("bars", "--out", tmp_path / "b.png", "--", tmp_path / "t.csv", tmp_path / "t.csv")
    more: Any = ("--classes", tmp_path / "t.classes.csv")
    study("sweep", *more, "--out", tmp_path / "s.png", "--", tmp_path / "t.csv")
    for name in ("b", "s"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="is no study"):
        study("bars", "--out", tmp_path / "b.png", "--", tmp_path / "t.classes.csv")
