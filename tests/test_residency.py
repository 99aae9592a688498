"""Features on disk and in memory: the same batches, statistics and models, to the last bit."""

from __future__ import annotations

import copy
import logging
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import training_setup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import TINY, make

from avzsl.datasets.features import FeatureSet
from avzsl.datasets.manifest import ManifestRow
from avzsl.datasets.residency import MemoryOptions
from avzsl.datasets.stored_rows import StoredRows
from avzsl.provenance import bucket_of
from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.index import write_index
from avzsl.shards.layout import FEATURES, TIMES, Header
from avzsl.shards.rows import RowReader
from avzsl.shards.writer import write_shard
from avzsl.training import feeding
from avzsl.training.feeding import Preparation
from avzsl.types import SUBSETS, ClassEmbeddings, ClipFeatures, ClipRef

CPU = torch.device("cpu")
BUCKETS = 4
CPU_ONLY = MemoryOptions(features="disk"), MemoryOptions(features="memory")


def write(folder: Path, modality: str, clips: list[ClipFeatures]) -> FeatureIndex:
    """Write the clips as shards, as the workflow does; one of five stays empty."""
    shards = []
    for bucket in range(BUCKETS + 1):
        own = [clip for clip in clips if bucket_of(clip.video_id, BUCKETS) == bucket]
        header = Header(
            dataset="d",
            encoder="e",
            encoder_kind="e",
            modality=modality,
            fingerprint="f",
            options={},
            members_id=str(bucket),
            dim=clips[0].features.shape[1],
        )
        shards.append(folder / modality / f"{bucket:04d}.h5")
        write_shard(shards[-1], header, own, [])
    index = folder / modality / "index.h5"
    write_index(shards, index, expected_fingerprint="f", features_id=modality, max_failure_rate=0)
    return FeatureIndex(index)


@pytest.fixture(scope="module")
def stored(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[ManifestRow], FeatureIndex, FeatureIndex, ClassEmbeddings]:
    """The synthetic clips of the tests of training, as files."""
    folder = tmp_path_factory.mktemp("stored")
    features, classes = make(TINY)
    indices = []
    for modality in ("audio", "visual"):
        own = getattr(features, modality)
        spans = zip(features.video_ids, own.offsets[:-1], own.offsets[1:], strict=True)
        clips = [
            ClipFeatures(
                video_id=video_id,
                stamp="",
                features=own.features_ND[start:end].numpy(),
                times=own.times_N[start:end, None].numpy() + np.array([-0.25, 0.25]),
            )
            for video_id, start, end in spans
        ]
        indices.append(write(folder, modality, clips))
    rows = [
        ManifestRow(
            clip=ClipRef(video_id=video_id, path=""),
            class_name=features.class_names[label],
            subset=SUBSETS[subset],
        )
        for video_id, label, subset in zip(
            features.video_ids, features.labels, features.subsets, strict=True
        )
    ]
    return rows, indices[0], indices[1], classes


def both(stored: tuple) -> tuple[FeatureSet, FeatureSet]:
    rows, audio, visual, _ = stored
    disk, memory = (
        FeatureSet.read(rows, audio, visual, device=CPU, memory=own) for own in CPU_ONLY
    )
    assert isinstance(disk.visual.features_ND, StoredRows)
    assert isinstance(memory.visual.features_ND, torch.Tensor)
    return disk, memory


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_batches_are_bit_equal(stored: tuple, data: st.DataObject) -> None:
    disk, memory = both(stored)
    clips = st.integers(0, len(disk.video_ids) - 1)
    rows = np.array(data.draw(st.lists(clips, min_size=1, max_size=40)))  # repeated ones, too
    for modality in ("audio", "visual"):
        here = getattr(disk, modality).pad(rows, CPU)
        there = getattr(memory, modality).pad(rows, CPU)
        for one, other in zip(here, there, strict=True):
            assert one.dtype == other.dtype and torch.equal(one, other)


def test_statistics_are_bit_equal_and_right(stored: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_BLOCK_VALUES", 400)  # many blocks, the last one shorter
    disk, memory = both(stored)
    rows = disk.rows_of("train", "val_seen")
    here, there = Preparation.fit(disk, rows), Preparation.fit(memory, rows)
    for modality in ("audio", "visual"):
        one, other = getattr(here, modality), getattr(there, modality)
        assert torch.equal(one.mean_D, other.mean_D) and torch.equal(one.std_D, other.std_D)
        sequences = getattr(memory, modality)
        tokens = sequences.features_ND[sequences.tokens(rows)].double()
        torch.testing.assert_close(one.mean_D.double(), tokens.mean(0), rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(
            one.std_D.double(), tokens.std(0, unbiased=False), rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("kind", ["ez-avgzl", "avca"])
def test_trained_models_are_equal(stored: tuple, tmp_path: Path, kind: str) -> None:
    states = []
    for name, features in zip(("disk", "memory"), both(stored), strict=True):
        path, history = training_setup.train(tmp_path / name, (features, stored[3]), kind)
        states.append((torch.load(path, weights_only=True), history.read_text()))
    assert states[0][1] == states[1][1]
    flat = [dict(flatten(state)) for state, _ in states]
    assert flat[0].keys() == flat[1].keys() and len(flat[0]) > 10
    for key, value in flat[0].items():
        other = flat[1][key]
        same = torch.equal(value, other) if torch.is_tensor(value) else value == other
        assert same, key


def flatten(thing: object, prefix: str = ""):
    """Yield (path, leaf) of nested containers, without where and when it was made."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            if key != "origin":
                yield from flatten(value, f"{prefix}/{key}")
    else:
        yield prefix, thing


@pytest.mark.parametrize(
    ("megabytes", "expected"), [(100, (False, False)), (0, (True, True)), (None, (False, True))]
)
def test_auto_puts_on_disk_what_does_not_fit(
    stored: tuple,
    megabytes: int | None,
    expected: tuple[bool, bool],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows, audio, visual, _ = stored
    options = MemoryOptions(megabytes=100 if megabytes is None else megabytes)
    if megabytes is None:  # room for the smaller modality and no more
        size = int(audio.lengths(audio.video_ids).sum()) * audio.dim * 4
        monkeypatch.setattr(type(options), "limit_bytes", property(lambda self: size))
    with caplog.at_level(logging.INFO):
        features = FeatureSet.read(rows, audio, visual, device=CPU, memory=options)
    found = tuple(isinstance(s.features_ND, StoredRows) for s in (features.audio, features.visual))
    assert found == expected
    assert f"audio features: 0.0 MB, {'disk' if expected[0] else 'memory'}" in caplog.text


def test_no_more_is_read_than_asked_for(stored: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, audio, _, _ = stored
    ids = [row.video_id for row in rows]
    kept = StoredRows(audio, ids)
    read: list[int] = []
    preadv = os.preadv
    monkeypatch.setattr(
        os,
        "preadv",
        lambda file, views, place: read.append(preadv(file, views, place)) or read[-1],
    )
    lengths = audio.lengths(ids)
    first = int(lengths[:5].sum())
    places = torch.arange(first, first + int(lengths[5]))
    kept[places]
    assert read == [int(lengths[5]) * audio.dim * 4]  # one clip, one read
    assert kept[places.flip(0)].equal(kept[places].flip(0))


def test_times_come_from_the_files(stored: tuple) -> None:
    rows, audio, _, _ = stored
    ids = [row.video_id for row in rows][::-1]
    kept = StoredRows(audio, ids, TIMES)
    np.testing.assert_array_equal(kept[torch.arange(kept.shape[0])], audio.read(ids).times)


def test_a_shard_that_was_made_anew_is_refused(stored: tuple, tmp_path: Path) -> None:
    clips = [
        ClipFeatures(
            video_id=f"v{i}", stamp="", features=np.ones((2, 3), "f4"), times=np.zeros((2, 2))
        )
        for i in range(8)
    ]
    index = write(tmp_path, "audio", clips)
    write(tmp_path, "audio", clips[:-1])
    with pytest.raises(ValueError, match="has changed since"):
        StoredRows(index, ["v0"])


def test_a_column_with_gaps_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset(FEATURES.name, data=np.ones((4, 3), "f4"), chunks=(2, 3))
    with pytest.raises(ValueError, match="with gaps"):
        RowReader([tmp_path / "x.h5"], FEATURES, 3)


def test_a_reader_is_not_copied(stored: tuple) -> None:
    with pytest.raises(TypeError, match="holds open files"):
        copy.deepcopy(StoredRows(stored[1], stored[1].video_ids))


def test_a_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset(FEATURES.name, data=np.ones((400, 3), "f4"))
    reader = RowReader([tmp_path / "x.h5"], FEATURES, 3)
    os.truncate(tmp_path / "x.h5", 3000)
    with pytest.raises(ValueError, match="ends too early"):
        reader.read(np.array([0, 0]), np.array([0, 399]))


@pytest.mark.needs_cuda
def test_features_go_to_a_gpu_where_they_fit(stored: tuple) -> None:
    rows, audio, visual, _ = stored
    device = torch.device("cuda")
    there = FeatureSet.read(rows, audio, visual, device=device)
    memory = both(stored)[1]
    assert there.visual.features_ND.device.type == "cuda"
    chosen = np.arange(7)[::-1].copy()
    for one, other in zip(
        there.visual.pad(chosen, device), memory.visual.pad(chosen, CPU), strict=True
    ):
        assert torch.equal(one.cpu(), other)
