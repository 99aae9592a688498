"""Features out, in the layouts of AVCA and TCaF, and in again."""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path

import numpy as np
import published_archive as made
import pytest

from avzsl.cli.main import main
from avzsl.datasets.archive_export import export_features
from avzsl.datasets.archives import write_class_file
from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.datasets.manifest import ManifestRow, write_manifest
from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.index import write_index
from avzsl.shards.reader import read_shard
from avzsl.types import ClipRef

LAYOUTS = ("avca", "tcaf")
MODALITIES = ("audio", "visual")
LOST = "v_HandStandPushups_g01_c01"


@pytest.fixture
def indices(tmp_path: Path) -> list[FeatureIndex]:
    """Features of both modalities; the audio ones lack a clip."""
    found = []
    for kind, without in (("audio", [LOST]), ("visual", [])):
        made.write_archive(tmp_path / kind / "archive", "tcaf", without=without)
        encoder = made.published(tmp_path / kind / "archive", "tcaf", kind)
        shard, _ = made.bring_in(tmp_path / kind, encoder, made.clips(tmp_path))
        index = tmp_path / kind / "index.h5"
        fingerprint = encoder.fingerprint_of("UCF")
        write_index(
            [shard], index, expected_fingerprint=fingerprint, features_id="f", max_failure_rate=0
        )
        found.append(FeatureIndex(index))
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exported_and_imported_features_are_equal(
    tmp_path: Path, indices: list[FeatureIndex], layout: str
) -> None:
    options = {"benchmark": "ucf", "videos": None, "splits": "splits"}
    write_manifest(tmp_path / "m.tsv", BenchmarkDataset("ucf", options, tmp_path).rows())
    out = tmp_path / "out" / "UCF" / "features" / "ours"
    command = ["export", "features", "--manifest", str(tmp_path / "m.tsv"), "--layout", layout]
    for modality, index in zip(MODALITIES, indices, strict=True):
        command += [f"--{modality}", str(index.path)]
    assert main([*command, "--out", str(out)]) == 0
    for modality, index in zip(MODALITIES, indices, strict=True):
        encoder = made.published(tmp_path / "out", layout, modality, features="ours")
        folder = tmp_path / "again" / modality
        folder.mkdir(parents=True)
        shard, failures = made.bring_in(folder, encoder, made.clips(tmp_path))
        assert [failure.video_id for failure in failures] == [LOST]
        rows, _ = read_shard(shard)
        assert len(rows) == len(made.clips(tmp_path)) - 1
        for row in rows:
            own = index.read([row.video_id]).features
            if layout == "avca":
                own = own.mean(0, dtype=np.float64)[None].astype(np.float32)
            np.testing.assert_array_equal(row.features, own)
    assert main([*command, "--out", str(out)]) == 1  # never mixed with what is there


def test_both_modalities_are_written_row_by_row_alike(
    tmp_path: Path, indices: list[FeatureIndex]
) -> None:
    ids = [LOST, "v_Archery_g01_c02", "v_Archery_g01_c01"]
    rows = [
        ManifestRow(clip=ClipRef(video_id=v, path=""), class_name="a, b (c)", subset="train")
        for v in ids
    ]
    assert export_features(rows, indices, tmp_path / "out", "tcaf") == (2, 1)
    for modality in ("audio", "video"):
        path = tmp_path / "out" / modality / "stage_1_train" / "a, b (c).pkl"
        assert pickle.loads(path.read_bytes())["video_names"] == [v.encode() for v in ids[1:]]


@pytest.mark.parametrize(
    ("video_id", "class_name", "message"),
    [
        ("v_Archery_g01_c01", "a/b", "'a/b' cannot be the name of a file"),
        (LOST, "Archery", "None of the 1 clips has features of all modalities"),
    ],
)
def test_what_cannot_be_exported_is_said(
    tmp_path: Path, indices: list[FeatureIndex], video_id: str, class_name: str, message: str
) -> None:
    clip = ClipRef(video_id=video_id, path="")
    row = ManifestRow(clip=clip, class_name=class_name, subset="train")
    with pytest.raises(ValueError, match=message):
        export_features([row], indices, tmp_path / "out", "avca")
    assert not (tmp_path / "out").exists()


def test_exported_pickles_name_nothing_but_the_array_type(tmp_path: Path) -> None:
    """Anything else has another name in the numpy that the released code asks for."""
    write_class_file(tmp_path / "a.pkl", "tcaf", [("v_1", np.ones((2, 3), np.float32))])
    content = (tmp_path / "a.pkl").read_bytes()
    codes = list(pickletools.genops(content))
    words = {arg for code, arg, _ in codes if code.name.endswith("UNICODE")}
    assert words == {"features", "video_names", "fps", "numpy", "ndarray", "<f4"}
    assert [arg for code, arg, _ in codes if code.name == "PROTO"] == [4]
    held = pickle.loads(content)
    assert held["video_names"] == [b"v_1"] and held["fps"] == [25]
    assert held["features"][0].shape == (2, 3) and (held["features"][0] == 1).all()
