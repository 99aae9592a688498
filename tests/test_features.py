"""Clips in memory: what is kept, and batches equal to a naive loop."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avzsl.datasets.features import FeatureSet, Sequences
from avzsl.datasets.manifest import ManifestRow
from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.index import write_index
from avzsl.shards.layout import Header
from avzsl.shards.writer import write_shard
from avzsl.types import ClipFeatures, ClipRef

CPU = torch.device("cpu")


def clip_features(video_id, tokens, dim, seed):
    rng = np.random.default_rng(seed)
    starts = np.arange(tokens) * 0.96
    return ClipFeatures(
        video_id=video_id,
        stamp="",
        features=rng.standard_normal((tokens, dim)).astype(np.float32),
        times=np.stack([starts, starts + 0.96], axis=1),
    )


def make_index(folder, modality, clips):
    """Write a real shard and a real index."""
    header = Header(
        dataset="d",
        encoder="e",
        encoder_kind="e",
        modality=modality,
        fingerprint="f",
        options={},
        members_id="m",
        dim=clips[0].features.shape[1],
    )
    write_shard(folder / f"{modality}.h5", header, clips, [])
    index = folder / f"{modality}-index.h5"
    write_index(
        [folder / f"{modality}.h5"],
        index,
        expected_fingerprint="f",
        features_id=f"{modality}-id",
        max_failure_rate=0,
    )
    return FeatureIndex(index)


def row(video_id, class_name, subset):
    return ManifestRow(
        clip=ClipRef(video_id=video_id, path="x"), class_name=class_name, subset=subset
    )


@pytest.fixture
def indices(tmp_path):
    audio = [clip_features(v, n, 3, i) for i, (v, n) in enumerate([("-a", 2), ("b", 1), ("d", 4)])]
    visual = [clip_features(v, n, 5, i) for i, (v, n) in enumerate([("-a", 1), ("c", 2), ("d", 3)])]
    made = make_index(tmp_path, "audio", audio), make_index(tmp_path, "visual", visual)
    return *made, {c.video_id: c for c in audio}, {c.video_id: c for c in visual}


def test_clips_with_both_modalities_are_kept_in_the_rows_order(indices, caplog):
    audio, visual, audio_clips, visual_clips = indices
    rows = [
        row("d", "zebra, (wild)", "test_unseen"),
        row("b", "lost", "train"),
        row("-a", "äther", "train"),
        row("c", "äther", "val_seen"),
    ]
    with caplog.at_level(logging.INFO):
        features = FeatureSet.read(rows, audio, visual, device=CPU)
    assert features.video_ids == ("d", "-a")
    assert features.class_names == ("zebra, (wild)", "äther")
    assert features.labels.tolist() == [0, 1]
    assert features.features_ids == ("audio-id", "visual-id")
    assert features.classes_of("train", "val_seen") == ("äther",)
    assert features.rows_of("test_unseen").tolist() == [0]
    tokens, mask, times = features.audio.pad(np.array([1, 0]), CPU)
    assert mask.sum(1).tolist() == [2, 4]
    np.testing.assert_array_equal(tokens[0, :2], audio_clips["-a"].features)
    np.testing.assert_array_equal(tokens[1], audio_clips["d"].features)
    np.testing.assert_allclose(times[1], [0.48, 1.44, 2.4, 3.36], rtol=1e-6)
    np.testing.assert_array_equal(
        features.visual.pad(np.array([0]), CPU)[0][0], visual_clips["d"].features
    )
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "train" in warnings[0] and "lost" in warnings[0]
    assert "val_seen" in warnings[1] and "äther" in warnings[1]
    assert any("2 of 4 clips" in r.getMessage() for r in caplog.records)


def test_no_clip_with_both_modalities_is_an_error(indices):
    audio, visual, *_ = indices
    with pytest.raises(ValueError, match="None of the 2 clips has both"):
        FeatureSet.read([row("b", "x", "train"), row("c", "y", "train")], audio, visual, device=CPU)


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    seed=st.integers(0, 1000),
)
def test_padding_equals_a_naive_loop(lengths, seed):
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    flat = torch.from_numpy(rng.standard_normal((offsets[-1], 2)).astype(np.float32))
    times = torch.rand(int(offsets[-1]))
    sequences = Sequences(features_ND=flat, times_N=times, offsets=offsets)
    rows = rng.integers(len(lengths), size=5)
    tokens, mask, seconds = sequences.pad(rows, CPU)
    longest = max(lengths[r] for r in rows)
    assert tokens.shape == (5, longest, 2)
    for b, r in enumerate(rows):
        for t in range(longest):
            real = t < lengths[r]
            assert mask[b, t] == real
            wanted = flat[offsets[r] + t] if real else torch.zeros(2)
            assert torch.equal(tokens[b, t], wanted)
            assert seconds[b, t] == (times[offsets[r] + t] if real else 0)
    wanted = [offsets[r] + t for r in rows for t in range(lengths[r])]
    assert sequences.tokens(rows).tolist() == wanted
