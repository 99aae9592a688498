"""What the weight-free encoder of pictures measures, where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from avzsl.encoders import appearance, motion
from avzsl.encoders.appearance import fejer_sum
from avzsl.encoders.pictures import letterbox
from avzsl.encoders.signal_visual import SignalVisual, _describe_pictures
from avzsl.types import FramePlan, Frames, VideoInfo


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [(128, 96), (96, 128), (51, 90), (64, 64), (40, 640)])
def test_letterbox_keeps_proportions_and_continues_edges(size):
    rgb = np.zeros((2, *size, 3), np.uint8)
    rgb[0] = (10, 200, 30)
    rgb[1, : size[0] // 2] = 250
    small = letterbox(rgb, size=64, device="cpu")
    assert small.shape == (2, 3, 64, 64) and small.dtype == torch.uint8
    assert (small[0] == torch.tensor([10, 200, 30])[:, None, None]).all()
    # The edge between the halves stays in the middle, whatever is added above and below.
    column = small[1, 0, :, 32].double()
    assert column[0] == 250 and column[-1] == 0
    assert column.mean() == pytest.approx(125, abs=8)


def test_letterbox_averages_as_it_shrinks():
    rgb = np.zeros((1, 256, 256, 3), np.uint8)
    rgb[:, ::2] = 200
    small = letterbox(rgb, size=64, device="cpu").float()
    assert (small[..., 2:-2, :] - 100).abs().max() <= 2


def test_letterbox_in_chunks_is_the_same(monkeypatch):
    rgb = np.random.default_rng(0).integers(0, 256, (7, 30, 40, 3), np.uint8)
    whole = letterbox(rgb, size=64, device="cpu")
    monkeypatch.setattr("avzsl.encoders.pictures.CHUNK", 2)
    assert torch.equal(whole, letterbox(rgb, size=64, device="cpu"))


def test_fejer_sum_is_a_density():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 5)
    series = np.exp(1j * np.arange(1, 7)[:, None] * angles).mean(1)
    got = fejer_sum(torch.ones(1), torch.from_numpy(series), 12)
    assert got.min() >= 0 and float(got.sum()) == pytest.approx(1)
    peak = fejer_sum(torch.ones(1), torch.exp(1j * torch.arange(1, 7) * (2 * math.pi * 5 / 12)), 12)
    assert int(peak.argmax()) == 5


HUES = {"red": 0, "yellow": 2, "green": 4, "cyan": 6, "blue": 8, "magenta": 10}
RGB = {
    "red": (1, 0, 0),
    "yellow": (1, 1, 0),
    "green": (0, 1, 0),
    "cyan": (0, 1, 1),
    "blue": (0, 0, 1),
    "magenta": (1, 0, 1),
}


@pytest.mark.parametrize("name", HUES)
def test_the_colour_of_what_stands_out(name):
    rgb = torch.full((1, 3, 64, 64), 0.4)
    rgb[0, :, 20:36, 30:46] = torch.tensor(RGB[name]).float()[:, None, None]
    channels = appearance.opponent_channels(rgb)
    salience = appearance.salience(channels)
    assert salience[0, 28, 38] > 0.7 > 0.05 > salience[0, 5, 5]
    got = appearance.colour_descriptor(channels, salience)[0]
    assert int(got[appearance.HUES : 2 * appearance.HUES].argmax()) == HUES[name]


def polygon(points, *, side=64, centre=(32.0, 32.0)):
    """A white polygon on black, [side, side], anti-aliased by 4 x 4 samples a pixel."""
    fine = (np.arange(4 * side) + 0.5) / 4
    x, y = fine[None] - centre[0], fine[:, None] - centre[1]
    inside = np.zeros((4 * side, 4 * side), bool)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
        crosses = (y1 > y) != (y2 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return torch.from_numpy(inside.reshape(side, 4, side, 4).mean((1, 3))).float()


def regular(corners, *, turn=0.0, radius=16.0, scale=(1.0, 1.0)):
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    return radius * np.stack([scale[0] * np.cos(angles), scale[1] * np.sin(angles)], axis=1)


@pytest.mark.parametrize("corners", [3, 4, 5, 6])
def test_symmetry_shows_in_the_edges_however_the_figure_lies(corners):
    turns = np.linspace(0, 2 * np.pi / corners, 7)
    figures = torch.stack([polygon(regular(corners, turn=turn)) for turn in turns])
    series = appearance.edge_harmonics(appearance.find_edges([figures]))
    strength = series.abs()
    main = strength[:, corners - 1]
    assert main.min() > 0.5 and main.max() - main.min() < 0.25
    # The pixel grid itself has some fourfold symmetry.
    assert strength[:, : corners - 1].max() < main.min() / 2
    # The phase turns ``corners`` times as fast as the figure.
    turned = np.unwrap(np.angle(series[:, corners - 1].numpy()))
    assert (turned[-1] - turned[0]) == pytest.approx(2 * np.pi, abs=0.2)


def test_orientations_lie_in_their_cells():
    field = torch.zeros(1, 64, 64)
    field[:, :, 8:] = 1.0  # an upright edge in the first column of cells: gradient to the right
    edges = appearance.find_edges([field])
    cells = appearance.orientation_cells(edges).reshape(4, 4, appearance.ORIENTATIONS)
    assert (cells[:, 0].argmax(-1) == 0).all()
    assert cells[:, 1:].abs().max() < 0.1
    assert float(cells.square().sum()) == pytest.approx(9, abs=0.3)


def test_the_mass_is_where_and_how_large_the_figure_is():
    here = polygon(regular(4), centre=(24.0, 40.0))[None]
    larger = polygon(regular(4, radius=22.0), centre=(24.0, 40.0))[None]
    wide = polygon(regular(4, scale=(1.0, 0.5)))[None]
    got, grown, flat = (motion.mass_descriptor(figure)[0] for figure in (here, larger, wide))
    assert got[0] == pytest.approx(2 * (24 / 64 - 0.5), abs=0.02)
    assert got[1] == pytest.approx(2 * (40 / 64 - 0.5), abs=0.02)
    assert grown[2] - got[2] == pytest.approx(math.log(22 / 16), abs=0.05)
    assert got[5] == pytest.approx(2 * 16**2 / 64**2, abs=0.02)
    assert abs(got[3]) < 0.02 and flat[3] > 0.5
    torch.testing.assert_close(got[6:], grown[6:], atol=0.12, rtol=0)


def moving(points_of, count=8):
    """A window of a red figure on grey: its coarse copies and its salience."""
    masks = torch.stack([polygon(points_of(k)) for k in range(count)])[:, None]
    red = torch.tensor([0.9, 0.1, 0.1])[None, :, None, None]
    channels = appearance.opponent_channels(masks * red + (1 - masks) * 0.4)
    salience = appearance.salience(channels)
    return motion.coarse_copy(channels, salience)[None], salience


def shifted(x, y):
    return regular(4) + np.array([x, y])


MOTIONS = {
    0: lambda k, step: shifted(step * k, 0),
    1: lambda k, step: shifted(0, step * k),
    2: lambda k, step: regular(4, radius=14 + step * k),
    3: lambda k, step: regular(4, turn=0.1 * step * k),
}
"""Number of the flow parameter, and the figure in picture k of a motion."""


@pytest.mark.parametrize("parameter", MOTIONS)
@pytest.mark.parametrize("step", [-1.0, 1.0])
def test_flow_tells_shift_growth_and_turn_apart(parameter, step):
    coarse, _ = moving(lambda k: MOTIONS[parameter](k, step))
    got = motion.affine_motion(coarse)[0]
    sizes, mean = got[:6], got[12:]
    assert int(sizes.argmax()) == parameter
    assert math.copysign(1, mean[parameter]) == step
    others = [value for i, value in enumerate(mean.abs()) if i != parameter]
    assert mean[parameter].abs() > 3 * max(others)


def test_flow_measures_the_shift():
    coarse, _ = moving(lambda k: shifted(0.8 * k, 0))
    got = float(motion.affine_motion(coarse)[0, 12])
    pixels = got / (1 - got) * 64 / motion.COARSE  # undo the squashing and the scale
    assert pixels == pytest.approx(0.8, rel=0.15)


def test_nothing_moves_in_a_still_picture():
    coarse, salience = moving(lambda k: regular(5))
    assert motion.affine_motion(coarse).abs().max() < 1e-5
    series = appearance.edge_harmonics(appearance.find_edges([salience])).unflatten(0, (1, 8))
    turning = motion.turning(series)[0]
    assert turning[4] == pytest.approx(1, abs=0.01) and turning[12] == pytest.approx(1, abs=0.01)
    assert motion.change_map(coarse[:, :, 0]).abs().max() < 0.02


def test_a_turning_figure_loses_its_phase():
    _, salience = moving(lambda k: regular(4, turn=0.2 * k))
    series = appearance.edge_harmonics(appearance.find_edges([salience])).unflatten(0, (1, 8))
    turning = motion.turning(series)[0]
    assert turning[3] < 0.1
    assert turning[8 + 3] == pytest.approx(math.cos(4 * 0.2), abs=0.05)


def test_growing_brighter_has_a_sign():
    light = torch.linspace(0, 0.7, 8)[None, :, None, None].expand(1, 8, 20, 20)
    assert motion.change_map(light)[0, -1] == pytest.approx(1.0, abs=1e-4)
    assert motion.change_map(1 - light)[0, -1] == pytest.approx(-1.0, abs=1e-4)


def test_windows_share_pictures_as_planned():
    encoder = SignalVisual.from_dict({"frames": 3})
    rgb = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    rows = np.array([[0, 1, 2], [1, 2, 3], [3, 3, 0]])
    plan = FramePlan(indices=np.arange(4), rows=rows, spans=np.zeros((3, 2)))
    info = VideoInfo(
        width=64, height=64, rotation=0, fps=4, pts_seconds=np.arange(4) / 4, duration_seconds=1
    )
    windows = encoder.preprocess(Frames(rgb=rgb, plan=plan, info=info))
    pictures = torch.stack([describe_one(picture) for picture in rgb])
    assert torch.equal(windows, pictures[torch.from_numpy(rows)])


def describe_one(picture):
    return _describe_pictures(torch.from_numpy(picture.transpose(2, 0, 1)[None]))[0]


def test_grey_pictures_have_no_colour():
    channels = appearance.opponent_channels(torch.rand(2, 1, 64, 64).expand(2, 3, 64, 64))
    got = appearance.colour_descriptor(channels, appearance.salience(channels))
    assert got[:, : 2 * appearance.HUES].max() < 0.05
