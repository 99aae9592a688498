"""Frames from packet headers: the example of the module's docstring, and what real files add."""

from fractions import Fraction

import numpy as np

from avzsl.decode.frametable import PacketHeader, counted_table, is_timed, timed_table

TICK = Fraction(1, 25)


def headers(pts, *, keys=(0,), hidden=()):
    return [
        PacketHeader(pts=p, dts=i, duration=1, key=i in keys, discard=i in hidden)
        for i, p in enumerate(pts)
    ]


def test_the_example_of_the_docstring():
    table = timed_table(headers([0, 3, 1, 2, 4, 7, 5, 6], keys=(0, 4)), TICK)
    assert table.pts.tolist() == list(range(8))
    assert table.packet.tolist() == [0, 2, 3, 1, 4, 6, 7, 5]
    assert table.start.tolist() == [0, 0, 0, 0, 4, 4, 4, 4]
    assert table.duration_seconds == 8 / 25
    np.testing.assert_allclose(table.seconds, np.arange(8) / 25)


def test_frames_shown_before_a_keyframe_that_precedes_them_build_on_the_one_before():
    """An open group of pictures: packets 4 and 5 come after keyframe 3 and are shown before it."""
    table = timed_table(headers([0, 1, 2, 5, 3, 4, 6], keys=(0, 3)), TICK)
    assert table.packet.tolist() == [0, 1, 2, 4, 5, 3, 6]
    assert table.start.tolist() == [0, 0, 0, 0, 0, 3, 3]


def test_frames_without_their_keyframe_are_left_out():
    """A file cut out of a longer one: packets 0 and 1 lack their keyframe, 3 is shown before 2."""
    table = timed_table(headers([3, 1, 6, 5, 7], keys=(2,)), TICK)
    assert table.pts.tolist() == [6, 7]
    assert table.skipped == 3


def test_hidden_frames_are_not_counted_but_decoded():
    table = timed_table(headers([-2, -1, 0, 1], hidden=(0, 1)), TICK)
    assert table.pts.tolist() == [0, 1]
    assert table.start.tolist() == [0, 0]
    assert table.skipped == 0


def test_without_any_keyframe_decoding_starts_at_the_begin():
    table = timed_table(headers([4, 5, 6], keys=()), TICK)
    assert table.start.tolist() == [0, 0, 0]
    assert table.seconds[0] == 0


def test_a_last_frame_of_unknown_length_lasts_as_long_as_the_mean_one():
    packets = [PacketHeader(pts=p, dts=p, duration=0, key=True, discard=False) for p in (0, 3, 7)]
    assert timed_table(packets, TICK).end == 7 + 4  # (3 + 4) / 2, rounded half to even
    one = [PacketHeader(pts=5, dts=5, duration=0, key=True, discard=False)]
    assert timed_table(one, TICK).end == 6


def test_which_packets_tell_the_time_of_their_frame():
    assert is_timed(headers([0, 2, 1]))
    assert not is_timed(headers([0, None, 1]))
    assert not is_timed(headers([0, 1, 1]))
    assert is_timed(headers([None, 1, 2], hidden=(0,)))


def test_counted_frames_take_the_times_that_came_out_in_order():
    """ "Packed B-frames": the times of two frames are swapped, the frames are not."""
    table = counted_table([1, 2, 4, 3, 5], time_base=TICK, rate=Fraction(25))
    assert table.pts.tolist() == [1, 2, 3, 4, 5]
    assert not table.timed
    assert table.duration_seconds == 5 / 25


def test_counted_frames_without_times_take_the_rate():
    for times in ([None, 1, 2], [0, 0, 1]):
        table = counted_table(times, time_base=TICK, rate=Fraction(10))
        np.testing.assert_allclose(table.seconds, [0, 0.1, 0.2])
        assert table.duration_seconds == 0.3
