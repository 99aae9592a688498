"""Windows and frames against naive loops, and against ffmpeg's own ``fps`` filter."""

import math
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avzsl.decode.sampling import AudioWindows, VideoWindows

hundredths = st.integers(1, 500).map(lambda k: k / 100)


def naive_spans(windows, duration):
    """One window after the other while it fits; exact, in microseconds."""
    length, hop, total = (
        round(1e6 * x) for x in (windows.length_seconds, windows.hop_seconds, duration)
    )
    spans, begin = [], 0
    while begin + length <= total:
        spans.append((begin / 1e6, (begin + length) / 1e6))
        begin += hop
    if not spans and total > 0 and windows.short == "pad":
        spans = [(0.0, windows.length_seconds)]
    return np.array(spans).reshape(-1, 2)


@given(
    length=hundredths, hop=hundredths, duration=hundredths, short=st.sampled_from(["fail", "pad"])
)
def test_spans_equal_a_naive_loop(length, hop, duration, short):
    windows = AudioWindows(length_seconds=length, hop_seconds=hop, short=short)
    np.testing.assert_allclose(windows.spans(duration), naive_spans(windows, duration), atol=1e-9)


@pytest.mark.parametrize(
    ("duration", "count"),
    [(0.0, 0), (0.5, 0), (0.95, 0), (0.96, 1), (3 * 0.32, 1), (1.91, 1), (1.92, 2), (10.0, 10)],
)
def test_vggish_windows(duration, count):
    """AudioSet's embedding: 0.96 s, no overlap, tail dropped (Hershey et al., ICASSP 2017)."""
    spans = AudioWindows(length_seconds=0.96, hop_seconds=0.96).spans(duration)
    assert spans.shape == (count, 2)
    np.testing.assert_allclose(spans[:, 0], 0.96 * np.arange(count), atol=1e-9)


def test_a_window_is_not_lost_to_rounding():
    windows = AudioWindows(length_seconds=0.1, hop_seconds=0.1)
    for count in range(1, 200):
        assert len(windows.spans(sum([0.1] * count))) == count


@pytest.mark.parametrize("short", ["fail", "pad"])
def test_short_clips(short):
    audio = AudioWindows(length_seconds=1.0, hop_seconds=1.0, short=short)
    video = VideoWindows(length_seconds=1.0, hop_seconds=1.0, frames=4, short=short)
    expected = int(short == "pad")
    assert len(audio.spans(0.4)) == expected
    assert len(audio.spans(0.0)) == 0
    plan = video.plan(np.arange(10) / 25, 0.4)
    assert len(plan.rows) == expected
    assert len(video.plan(np.zeros(0), 0.0).rows) == 0
    if short == "pad":
        assert audio.spans(0.4).tolist() == [[0.0, 1.0]]
        # Middles of the slots: 0.125 s (frame 3), 0.375 s (frame 9), then the last stands still.
        assert plan.indices[plan.rows].tolist() == [[3, 9, 9, 9]]


@pytest.mark.parametrize(
    "values",
    [
        {"length_seconds": 0.0},
        {"hop_seconds": 0.0},
        {"hop_seconds": -1.0},
        {"length_seconds": math.inf},
        {"length_seconds": math.nan},
        {"short": "drop"},
        {"frames": 0},
    ],
)
def test_values_that_describe_no_windows_are_refused(values):
    good = {"length_seconds": 1.0, "hop_seconds": 1.0, "frames": 2}
    with pytest.raises(ValueError, match=next(iter(values))):
        VideoWindows(**{**good, **values})
    if "frames" not in values:
        with pytest.raises(ValueError, match=next(iter(values))):
            AudioWindows(**{k: v for k, v in {**good, **values}.items() if k != "frames"})


def naive_plan(windows, pts, duration, start, end):
    """The frame on display in the middle of each slot, by looking at every frame."""
    end = duration if end is None else min(end, duration)
    chosen = []
    for begin, _ in naive_spans(windows, round(end - start, 6) if len(pts) else 0.0):
        row = []
        for slot in range(windows.frames):
            middle = start + begin + (slot + 0.5) * windows.length_seconds / windows.frames
            before = [i for i, t in enumerate(pts) if t < middle - 1e-6]
            row.append(before[-1] if before else 0)
        chosen.append(row)
    return np.array(chosen, int).reshape(-1, windows.frames)


@given(
    gaps=st.lists(st.integers(1, 200), min_size=0, max_size=60),
    length=hundredths,
    hop=hundredths,
    frames=st.integers(1, 9),
    start=st.integers(0, 300),
    end=st.none() | st.integers(1, 900),
    short=st.sampled_from(["fail", "pad"]),
)
def test_plan_equals_a_naive_loop(gaps, length, hop, frames, start, end, short):
    """Times of any spacing (variable frame rate), segments anywhere, in hundredths of a second."""
    times = np.concatenate([[0], np.cumsum(gaps)])
    pts, duration = times[:-1] / 100, float(times[-1]) / 100
    start, end = start / 100, None if end is None else start / 100 + end / 100
    windows = VideoWindows(length_seconds=length, hop_seconds=hop, frames=frames, short=short)
    plan = windows.plan(pts, duration, start, end)
    np.testing.assert_array_equal(
        plan.indices[plan.rows], naive_plan(windows, pts, duration, start, end)
    )
    assert (np.diff(plan.indices) > 0).all(), "each frame is decoded once, in order"
    assert set(plan.rows.ravel()) == set(range(len(plan.indices)))
    assert plan.spans.shape == (len(plan.rows), 2)


def ffmpeg_choice(pts, time_base, rate):
    """The frames that ``ffmpeg -vf fps=RATE`` shows, found by running that very filter."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=16, height=16, format="gray", time_base=time_base)
    sink = graph.add("buffersink")
    graph.link_nodes(source, graph.add("fps", f"fps={rate}"), sink).configure()
    chosen = []
    for number, time in enumerate(pts):
        frame = av.VideoFrame.from_ndarray(np.full((16, 16), number, np.uint8), format="gray")
        frame.pts, frame.time_base = int(time), time_base
        graph.push(frame)
        while True:
            try:
                chosen.append(int(graph.pull().to_ndarray()[0, 0]))
            except (av.error.BlockingIOError, av.error.EOFError):
                break
    return np.array(chosen)


def our_choice(pts, time_base, rate, count):
    """The same frames by our arithmetic: one window with one frame a slot."""
    windows = VideoWindows(length_seconds=count / rate, hop_seconds=1.0, frames=count, short="pad")
    plan = windows.plan(np.asarray(pts) * float(time_base), count / rate)
    return plan.indices[plan.rows[0]]


RATES = [10, 12, 15, 24, Fraction(24000, 1001), 25, Fraction(30000, 1001), 30, 48, 50, 60]


@pytest.mark.parametrize("target", [1, 4, 16, 25, 30])
@pytest.mark.parametrize("source", RATES, ids=str)
def test_frames_are_those_of_ffmpegs_fps_filter(source, target):
    pts = np.arange(200)
    theirs = ffmpeg_choice(pts, 1 / Fraction(source), target)
    ours = our_choice(pts, 1 / Fraction(source), target, len(theirs))
    np.testing.assert_array_equal(ours, theirs)


def test_frames_are_those_of_ffmpegs_fps_filter_at_a_variable_rate():
    rng = np.random.default_rng(0)
    pts = np.concatenate([[0], np.cumsum(rng.integers(5, 120, size=199))])
    theirs = ffmpeg_choice(pts, Fraction(1, 1000), 25)
    ours = our_choice(pts, Fraction(1, 1000), 25, len(theirs))
    np.testing.assert_array_equal(ours, theirs)


def test_from_30_to_25_frames_a_second_the_rounding_rule_holds():
    """``floor(k * 30 / 25 + 1/2)``, as the feature extraction of AVCA and TCaF got its frames."""
    ours = our_choice(np.arange(300), Fraction(1, 30), 25, 240)
    np.testing.assert_array_equal(ours, np.floor(np.arange(240) * 30 / 25 + 0.5))


@pytest.mark.parametrize(
    ("duration", "rest", "ends"),
    [
        (25.0, None, [10, 20]),
        (25.0, 1.0, [10, 20, 30]),
        (20.5, 1.0, [10, 20]),
        (21.0, 1.0, [10, 20, 30]),
        (20.0, 1.0, [10, 20]),
        (10.0, 1.0, [10]),
        (3.0, 1.0, [10]),
        (0.5, 1.0, [10]),
    ],
)
def test_the_rest_has_a_window_if_it_is_long_enough(duration, rest, ends):
    windows = AudioWindows(length_seconds=10, hop_seconds=10, short="pad", rest_seconds=rest)
    assert windows.spans(duration)[:, 1].tolist() == ends


@given(length=hundredths, hop=hundredths, rest=hundredths, duration=hundredths)
def test_a_rest_adds_one_window_that_reaches_beyond_the_end(length, hop, rest, duration):
    plain = AudioWindows(length_seconds=length, hop_seconds=hop).spans(duration)
    spans = AudioWindows(length_seconds=length, hop_seconds=hop, rest_seconds=rest).spans(duration)
    assert len(spans) - len(plain) in ((0, 1) if len(plain) else (0,))
    np.testing.assert_array_equal(spans[: len(plain)], plain)
    if len(spans) > len(plain):
        assert spans[-1, 0] + min(rest, length) <= duration + 1e-5 and spans[-1, 1] > duration


@pytest.mark.parametrize(
    ("duration", "begins"), [(10.0, [0, 2, 4, 6, 8]), (2.0, [0] * 5), (1.0, [0] * 5)]
)
def test_windows_can_be_spread_from_begin_to_end(duration, begins):
    """ImageBind's five clips of 2 s start at i * (duration - 2) / 4."""
    spans = AudioWindows(length_seconds=2.0, count=5, short="pad").spans(duration)
    np.testing.assert_allclose(spans[:, 0], begins, atol=1e-9)
    np.testing.assert_allclose(spans[:, 1] - spans[:, 0], 2.0)


def test_one_spread_window_lies_at_the_begin_and_too_short_clips_have_none():
    assert AudioWindows(length_seconds=2.0, count=1).spans(9.0).tolist() == [[0, 2]]
    assert len(AudioWindows(length_seconds=2.0, count=3).spans(1.9)) == 0


@given(count=st.integers(1, 9), duration=hundredths)
def test_a_clip_can_be_cut_into_equal_parts(count, duration):
    spans = AudioWindows(count=count).spans(duration)
    assert spans.shape == (count, 2) and spans[0, 0] == 0
    np.testing.assert_allclose(spans[1:, 0], spans[:-1, 1])
    np.testing.assert_allclose(spans[-1, 1], duration)


def test_frames_of_a_part_lie_in_the_middle_of_its_segments():
    """X-CLIP: int((i + 0.5) * N / T) of N frames."""
    plan = VideoWindows(count=1, frames=8).plan(np.arange(250) / 25, 10.0)
    assert plan.indices[plan.rows[0]].tolist() == [int((i + 0.5) * 250 / 8) for i in range(8)]


def test_pictures_due_after_the_end_can_be_left_blank():
    """C3D at 25 frames a second: 40 frames are 16, 16 and 8; the rest of the last clip is none."""
    rows = {
        beyond: VideoWindows(
            length_seconds=0.64, hop_seconds=0.64, frames=16, rest_seconds=0.02, beyond=beyond
        )
        .plan(np.arange(40) / 25, 1.6)
        .rows
        for beyond in ("blank", "hold")
    }
    assert rows["blank"].tolist() == [[*range(16)], [*range(16, 32)], [*range(32, 40)] + [-1] * 8]
    assert rows["hold"][2].tolist() == [*range(32, 40)] + [39] * 8


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"length_seconds": 1.0},
        {"hop_seconds": 1.0},
        {"length_seconds": 1.0, "hop_seconds": 1.0, "count": 2},
        {"count": 0},
        {"length_seconds": 1.0, "hop_seconds": 1.0, "rest_seconds": 0.0},
    ],
)
def test_windows_are_at_steps_or_counted(values):
    with pytest.raises(ValueError):
        AudioWindows(**values)
