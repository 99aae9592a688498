"""Worked examples, edges and error messages of the metrics and the calibration."""

import dataclasses
import json
import logging
import time

import numpy as np
import pytest

from avzsl.metrics.accuracy import compute_metrics, harmonic_mean
from avzsl.metrics.calibration import calibrate
from avzsl.metrics.winners import find_winners

SEEN = np.array([True, True, False, False])
# Two clips of each class. Seen classes score higher throughout, as they do in practice.
SCORES = np.array(
    [
        [9, 1, 4, 0],  # class 0, right up to a bias of 5
        [6, 1, 0, 5],  # class 0, right up to 1
        [1, 8, 2, 2],  # class 1, right up to 6
        [7, 3, 1, 1],  # class 1, wrong
        [5, 1, 3, 2],  # class 2, right from 2 on
        [6, 1, 3, 2],  # class 2, right from 3 on
        [8, 1, 2, 4],  # class 3, right from 4 on
        [8, 1, 4, 2],  # class 3, wrong
    ]
)
LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 3])
NAMES = ["cat", "dog", "owl", "train"]


def test_worked_example():
    metrics = compute_metrics(SCORES, LABELS, SEEN, bias=3.5, names=NAMES)
    assert (metrics.seen, metrics.unseen, metrics.zsl) == (50.0, 50.0, 75.0)
    assert metrics.hm == 50.0
    assert metrics.zsl_chance == 50.0
    assert (metrics.clips_seen, metrics.clips_unseen) == (4, 4)
    assert (metrics.classes_seen, metrics.classes_unseen) == (2, 2)
    assert metrics.per_class == {"cat": 50.0, "dog": 50.0, "owl": 100.0, "train": 0.0}
    assert metrics.per_class_zsl == {"owl": 100.0, "train": 50.0}
    assert metrics.left_out == ()
    assert json.loads(json.dumps(dataclasses.asdict(metrics)))["hm"] == 50.0


def test_without_calibration_nothing_unseen_is_predicted():
    metrics = compute_metrics(SCORES, LABELS, SEEN)
    assert (metrics.seen, metrics.unseen, metrics.hm) == (75.0, 0.0, 0.0)


def test_no_bias_and_a_bias_of_zero_predict_the_same_and_are_told_apart():
    without = compute_metrics(SCORES, LABELS, SEEN)
    zero = compute_metrics(SCORES, LABELS, SEEN, bias=0.0)
    assert without.bias is None
    assert zero.bias == 0.0
    assert dataclasses.replace(zero, bias=None) == without


def test_a_class_without_clips_is_named_and_left_out_of_the_means():
    with_clips = LABELS != 3
    metrics = compute_metrics(SCORES[with_clips], LABELS[with_clips], SEEN, bias=3.5, names=NAMES)
    assert metrics.unseen == 100.0
    assert metrics.classes_unseen == 1
    assert metrics.left_out == ("train",)
    assert "train" not in metrics.per_class
    # it is still a candidate, so a guess is right every second time
    assert metrics.zsl_chance == 50.0


def test_a_class_with_many_clips_counts_as_much_as_one_with_few():
    scores, labels = np.repeat(SCORES, 2, axis=0)[:-3], np.repeat(LABELS, 2)[:-3]
    once = compute_metrics(SCORES[:-1], LABELS[:-1], SEEN, bias=4.5)
    assert compute_metrics(scores, labels, SEEN, bias=4.5).unseen == once.unseen


def test_ties_go_to_the_lower_column():
    scores = np.zeros((2, 3))
    for seen, predicted in (([True, False, True], 0), ([False, True, True], 0)):
        winners = find_winners(scores, np.array(seen))
        assert winners.predict(0.0).tolist() == [predicted, predicted]


def test_harmonic_mean():
    assert harmonic_mean(0.0, 0.0) == 0.0
    assert harmonic_mean(40.0, 10.0) == 16.0
    np.testing.assert_array_equal(harmonic_mean([0, 50], [10, 50]), [0, 50])


def test_exact_calibration_takes_the_middle_of_the_widest_best_plateau():
    found = calibrate(SCORES, LABELS, SEEN)
    # S is 50 from 1 to 5. U is 75 from 4 on.
    assert found.bias == 4.5
    assert (found.metrics.seen, found.metrics.unseen) == (50.0, 75.0)
    assert found.metrics.bias == 4.5


def test_of_equal_plateaus_the_widest_wins_and_then_the_one_nearest_to_zero():
    seen = np.array([True, False])
    # class 0 is right below a, class 1 from b on: HM is 100 between b and a
    wide = np.array([[3.0, 0], [1, 0], [0, 0], [-4, 0]])
    labels = np.array([0, 1, 0, 1])
    found = calibrate(wide, labels, seen)
    # S, U = 100, 50 from -4 to 0; 50, 50 from 0 to 1; 50, 100 from 1 to 3
    assert found.bias == -2.0
    narrow = np.array([[3.0, 0], [1, 0], [0, 0], [-2, 0]])
    assert calibrate(narrow, labels, seen).bias == -1.0


def test_a_single_bias_can_be_better_than_all_on_either_side():
    # At 0.5 both clips tie: one tie goes to the seen, the other to the unseen class, both rightly.
    seen = np.array([True, False, False, True])
    scores = np.array([[1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 1.0]])
    labels = np.array([0, 2])
    found = calibrate(scores, labels, seen)
    assert found.bias == 0.5
    assert found.metrics.hm == 100.0
    assert found.curve.bias.tolist() == [-0.5, 0.5, 1.5]
    assert found.curve.hm.tolist() == [0.0, 100.0, 0.0]


def test_grid_calibration_takes_the_smallest_best_value():
    found = calibrate(SCORES / 2, LABELS, SEEN, search="grid")
    np.testing.assert_allclose(found.curve.bias, np.arange(16) * 0.2)
    # at 2.0 there is a tie, which goes to the seen class
    assert found.bias == pytest.approx(2.2)


def test_grid_calibration_says_when_it_ends_at_the_end(caplog):
    with caplog.at_level(logging.WARNING):
        assert calibrate(SCORES * 10, LABELS, SEEN, search="grid").bias == 0.0
        assert not caplog.records
        assert calibrate(SCORES * 0.72, LABELS, SEEN, search="grid").bias == 3.0
    assert "end of the grid" in caplog.text


def test_a_bias_of_zero_is_a_result():
    # nothing is ever right: all biases are as good, and none is better than 0
    found = calibrate(1 - np.eye(2), np.array([0, 1]), np.array([True, False]))
    assert found.bias == 0.0
    assert found.metrics.hm == 0.0
    hopeless = np.array([[0.0, 1, 5, 9], [0, 1, 9, 5]])
    found = calibrate(hopeless, np.array([0, 2]), np.array([True, True, False, False]))
    assert found.bias == 0.0
    assert found.metrics.bias == 0.0


def test_plateaus_between_neighbouring_floats():
    tiny = np.nextafter(1.0, 2.0)
    for first, second in ((1.0, tiny), (tiny, 1.0)):
        for seen in (np.array([True, False]), np.array([False, True])):
            scores = np.where(seen, [[first], [second]], 0.0)
            labels = np.array([int(np.argmax(seen)), int(np.argmin(seen))])
            found = calibrate(scores, labels, seen)
            assert found.metrics.hm == pytest.approx(found.curve.hm.max())


def test_half_precision_scores_are_compared_exactly():
    metrics = compute_metrics(SCORES.astype(np.float16), LABELS, SEEN, bias=3.5)
    assert metrics == compute_metrics(SCORES.astype(np.float64), LABELS, SEEN, bias=3.5)


def test_nothing_given_is_changed():
    scores = SCORES.astype(np.float64)
    calibrate(scores, LABELS, SEEN)
    np.testing.assert_array_equal(scores, SCORES)


def test_calibration_is_fast_at_the_size_of_vggsound():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(11_000, 276)), rng.integers(0, 276, 11_000)
    scores[np.arange(11_000), labels] += 2
    begin = time.perf_counter()
    found = calibrate(scores, labels, np.arange(276) < 207)
    assert time.perf_counter() - begin < 5
    assert (
        found.metrics.hm
        >= calibrate(scores, labels, np.arange(276) < 207, search="grid").metrics.hm
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": SCORES[:, :3]}, "one flag a class"),
        ({"scores": SCORES[0]}, "one flag a class"),
        ({"scores": np.zeros((0, 4)), "labels": LABELS[:0]}, "N > 0"),
        ({"scores": np.where(SCORES == 9, np.nan, SCORES)}, "1 of 8 clips .* row 0"),
        ({"scores": np.where(SCORES == 0, -np.inf, SCORES)}, "must be finite"),
        ({"seen": np.ones(4, dtype=bool)}, "4 of 4 seen"),
        ({"seen": SEEN.astype(int)}, "int64"),
        ({"labels": LABELS[:3]}, "each of 8 clips"),
        ({"labels": LABELS.astype(float)}, "float64"),
        ({"labels": LABELS + 1}, "0 to 3, got 1 to 4"),
        ({"labels": LABELS - 1}, "got -1 to 2"),
        ({"labels": LABELS // 2}, "8 seen of 8"),
        ({"labels": LABELS // 2 + 2}, "0 seen of 8"),
    ],
)
@pytest.mark.parametrize("function", [compute_metrics, calibrate])
def test_wrong_input_is_named(function, change, message):
    given = {"scores": SCORES, "labels": LABELS, "seen": SEEN} | change
    with pytest.raises(ValueError, match=message):
        function(given["scores"], given["labels"], given["seen"])


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="4 class names, got 2"):
        compute_metrics(SCORES, LABELS, SEEN, names=["cat", "dog"])
    with pytest.raises(ValueError, match="'exact' or 'grid', got 'best'"):
        calibrate(SCORES, LABELS, SEEN, search="best")
    with pytest.raises(ValueError, match="grid_steps = 1"):
        calibrate(SCORES, LABELS, SEEN, search="grid", grid_steps=1)
