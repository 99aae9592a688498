"""Long clips cut to a stretch: anew in training, to the middle in evaluation, sound alike."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic
import torch
from training_setup import CPU, small_options, train

from avzsl.config import load_config
from avzsl.datasets.features import FeatureSet, Sequences
from avzsl.methods.base import TokenLimits
from avzsl.methods.devise import Devise
from avzsl.training.checkpoint import load_model
from avzsl.training.feeding import Feeder

LENGTHS = ((10, 30), (2, 3), (40, 60), (9, 4))
"""Audio and visual tokens of four clips."""


def numbered(counts: list[int], step: float) -> Sequences:
    """Tokens that hold their place within the clip."""
    values = np.concatenate([np.arange(count) for count in counts]).astype(np.float32)
    return Sequences(
        features_ND=torch.tensor(values)[:, None],
        times_N=torch.tensor(values) * step,
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )


def feeder(limits: TokenLimits) -> Feeder:
    features = FeatureSet(
        video_ids=("a", "b", "c", "d"),
        class_names=("x",),
        labels=np.zeros(4, np.int64),
        subsets=np.zeros(4, np.int64),
        audio=numbered([audio for audio, _ in LENGTHS], 0.96),
        visual=numbered([visual for _, visual in LENGTHS], 0.64),
        features_ids=("", ""),
    )
    return Feeder(features, ["x"], preparation=None, device=CPU, limits=limits)


def kept(feeder: Feeder, places: np.ndarray | None = None) -> tuple[list, list]:
    """First and last token of each clip that a batch holds, of sound and of pictures."""
    batch = feeder.batch(np.arange(4), places=places)
    found = []
    for tokens, mask in (
        (batch.audio_BTA, batch.audio_mask_BT),
        (batch.visual_BUV, batch.visual_mask_BU),
    ):
        rows = [t[m, 0].tolist() for t, m in zip(tokens, mask, strict=True)]
        assert all(row == list(np.arange(row[0], row[-1] + 1)) for row in rows)
        found.append([(row[0], row[-1]) for row in rows])
    return found[0], found[1]


def test_without_limits_all_tokens_are_there() -> None:
    audio, visual = kept(feeder(TokenLimits()))
    assert audio == [(0, 9), (0, 1), (0, 39), (0, 8)] and visual == [
        (0, 29),
        (0, 2),
        (0, 59),
        (0, 3),
    ]


def test_evaluation_keeps_the_middle_and_the_sound_beside_it() -> None:
    audio, visual = kept(feeder(TokenLimits(audio=8, visual=12)))
    assert visual == [(9, 20), (0, 2), (24, 35), (0, 3)]
    assert audio == [(2, 9), (0, 1), (16, 23), (0, 7)]  # 9 * 10/30 = 3, but 8 of 10 begin at 2


@pytest.mark.parametrize(("place", "first"), [(0.0, 0), (0.5, 24), (0.999, 47)])
def test_training_begins_anywhere(place: float, first: int) -> None:
    audio, visual = kept(feeder(TokenLimits(visual=12)), np.full((2, 4), place))
    assert visual[2] == (first, first + 11) and visual[1] == (0, 2)
    # Sound has no limit here, so that all of it is kept.
    assert audio[2] == (0, 39)


def test_sound_alone_too_long_is_kept_from_its_begin() -> None:
    audio, visual = kept(feeder(TokenLimits(audio=5, visual=100)), np.full((2, 4), 0.9))
    assert audio == [(0, 4), (0, 1), (0, 4), (0, 4)] and visual[2] == (0, 59)


def test_times_stay_those_of_the_clip() -> None:
    batch = feeder(TokenLimits(visual=12)).batch(np.arange(4))
    assert batch.visual_times_BU[2, 0].item() == pytest.approx(24 * 0.64)


def test_negatives_are_cut_at_places_of_their_own() -> None:
    places = np.array([[0.0] * 4, [0.999] * 4])
    rows = np.full(4, 2)
    batch = feeder(TokenLimits(visual=12)).batch(rows, rows, places)
    assert batch.visual_BUV[0, 0, 0] == 0 and batch.negatives.visual_BUV[0, 0, 0] == 47


def test_a_run_cuts_in_training_and_in_evaluation(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    seen: dict[bool, set[int]] = {True: set(), False: set()}
    monkeypatch.setattr(Devise, "needs_tokens", True)
    for name in ("forward", "losses"):
        own = getattr(Devise, name)

        def spy(self, batch, classes, own=own):  # type: ignore[no-untyped-def]
            seen[self.training].add(int(batch.visual_mask_BU.sum(1).max()))
            return own(self, batch, classes)

        monkeypatch.setattr(Devise, name, spy)
    options = small_options("devise")
    options["training"] |= {"tokens": {"visual": 2}, "evaluation_tokens": {"visual": 3}}
    first, history = train(tmp_path / "a", kind="devise", options=options)
    assert seen == {True: {2}, False: {3}}
    again, _ = train(tmp_path / "b", kind="devise", options=options)
    assert first.read_bytes() == again.read_bytes() and history.is_file()
    assert load_model(first).options.training.evaluation_tokens.visual == 3


def test_published_lengths_are_to_be_had_by_name(root) -> None:  # type: ignore[no-untyped-def]
    schema = root / "workflow" / "schemas" / "config.schema.json"
    names = ["activitynet.cls", "released-lengths"]
    training = {}
    for count in (1, 2):
        config = load_config({"methods": {"tcaf": {"published": names[:count]}}}, schema)
        options = config.methods["tcaf"].options["training"]
        training[count] = (options["tokens"], options["evaluation_tokens"])
    assert training[1] == ({"audio": 40, "visual": 60}, {"audio": 200, "visual": 300})
    assert training[2] == ({"audio": 37, "visual": 60}, {"audio": 184, "visual": 300})


def test_synthetic_clips_are_long_enough_for_these_tests() -> None:
    features, _ = synthetic.make(synthetic.TINY)
    lengths = features.visual.lengths(np.arange(len(features.video_ids)))
    assert lengths.max() > 3
