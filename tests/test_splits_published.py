"""The published benchmarks: counts, names, segments, and fetching their files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.datasets.manifest import members
from avzsl.sources import splits
from avzsl.sources.splits import SplitFile, fetch_splits, git_blob, split_files

MAIN = {
    "ucf": {
        "train": (30, 3174),
        "val_seen": (30, 353),
        "val_unseen": (12, 1467),
        "test_seen": (42, 555),
        "test_unseen": (9, 1267),
    },
    "activitynet": {
        "train": (99, 9204),
        "val_seen": (99, 1023),
        "val_unseen": (51, 4307),
        "test_seen": (150, 1615),
        "test_unseen": (50, 4199),
    },
    "vggsound": {
        "train": (138, 70351),
        "val_seen": (138, 7817),
        "val_unseen": (69, 3102),
        "test_seen": (207, 9032),
        "test_unseen": (69, 3450),
    },
}
"""Classes and clips of each subset, as published."""
CLS_UNSEEN = {"ucf": (6, 845), "activitynet": (48, 4052), "vggsound": (64, 3200)}
TOTAL = {
    ("ucf", "main"): 6816,
    ("activitynet", "main"): 20_348,
    ("vggsound", "main"): 93_752,
    ("ucf", "cls"): 6394,
    ("activitynet", "cls"): 20_201,
    ("vggsound", "cls"): 93_502,
}
WRONG_TEXTS = {"ucf": (79, 101), "activitynet": (8, 200), "vggsound": (205, 309)}
"""Classes whose text the released loaders take from another class, of how many."""


@pytest.fixture(scope="module")
def published(shared: Path) -> Path:
    folder = shared / "benchmark"
    if not folder.is_dir():
        pytest.skip(f"the published split files are not in {folder}")
    return folder


def dataset(published: Path, name: str, root: Path = Path(), **options: object) -> BenchmarkDataset:
    values = {"benchmark": name, "videos": "videos", "splits": str(published), **options}
    return BenchmarkDataset(name, values, root)


@pytest.mark.parametrize("split", ["main", "cls"])
@pytest.mark.parametrize("name", sorted(MAIN))
def test_counts_are_the_published_ones(published: Path, name: str, split: str) -> None:
    lines = list(dataset(published, name, split=split).lines())
    clips = Counter(line.subset for line in lines)
    classes = {subset: {x.class_name for x in lines if x.subset == subset} for subset in clips}
    expected = MAIN[name] | ({"test_unseen": CLS_UNSEEN[name]} if split == "cls" else {})
    assert {subset: (len(classes[subset]), clips[subset]) for subset in clips} == expected
    assert len(lines) == len({line.id for line in lines}) == TOTAL[name, split]
    assert classes["train"] == classes["val_seen"]
    assert classes["test_seen"] == classes["train"] | classes["val_unseen"]
    assert not classes["test_unseen"] & classes["test_seen"]


@pytest.mark.parametrize("name", sorted(MAIN))
def test_texts_are_joined_by_name_or_shifted_as_published(published: Path, name: str) -> None:
    right = dataset(published, name)
    names = sorted(right.readable_names())
    readable = right.readable_names()
    assert right.texts(names) == [readable[n] for n in names]
    assert right.texts(names[::-1]) == right.texts(names)[::-1]
    assert dataset(published, name, names="original").texts(names) == names
    legacy = dataset(published, name, parity={"text_alignment": "legacy"}).texts(names)
    wrong = sum(a != b for a, b in zip(legacy, right.texts(names), strict=True))
    assert (wrong, len(names)) == WRONG_TEXTS[name]
    assert sorted(legacy) == sorted(right.texts(names))


def test_the_shift_is_that_of_the_released_loader(published: Path) -> None:
    legacy = dataset(published, "ucf", parity={"text_alignment": "legacy"})
    wanted = {
        "CliffDiving": "Cricket Bowling",
        "ShavingBeard": "Shotput",
        "CuttingInKitchen": "Diving",
    }
    assert legacy.texts(list(wanted)) == list(wanted.values())


# --- where the clips are ------------------------------------------------------------------------


def clip_of(data: BenchmarkDataset, clip_id: str):  # type: ignore[no-untyped-def]
    place = data._placer()
    return place(next(line for line in data.lines() if line.id == clip_id))


@pytest.mark.parametrize(
    ("name", "options", "clip_id", "path", "segment"),
    [
        ("ucf", {}, "v_Archery_g01_c06", "videos/Archery/v_Archery_g01_c06.avi", (None, None)),
        ("vggsound", {}, "-0iEMffOYwo_000005", "videos/-0iEMffOYwo_000005.mp4", (None, None)),
        ("vggsound", {"pattern": "{class}/{youtube_id}.webm"}, "-0iEMffOYwo_000005",
         "videos/playing oboe/-0iEMffOYwo.webm", (5.0, 15.0)),
        ("vggsound", {"pattern": "{youtube_id}-{start:04d}.mp4"}, "-0iEMffOYwo_000005",
         "videos/-0iEMffOYwo-0005.mp4", (None, None)),
        ("activitynet", {}, "38ZxXyECPPU_1", "videos/38ZxXyECPPU_1.mp4", (None, None)),
    ],
)  # fmt: skip
def test_files_and_segments_follow_the_pattern(
    published: Path, name: str, options: dict, clip_id: str, path: str, segment: tuple
) -> None:
    clip = clip_of(dataset(published, name, **options), clip_id)
    assert clip.path == path and (clip.start_seconds, clip.end_seconds) == segment


def test_the_capital_letters_of_ucf_are_reconciled(published: Path) -> None:
    clip = clip_of(dataset(published, "ucf"), "v_HandStandPushups_g01_c01")
    assert clip.path == "videos/HandstandPushups/v_HandStandPushups_g01_c01.avi"


def annotations(folder: Path, label: str = "Capoeira") -> str:
    segments = [{"segment": [i * 10.0, i * 10 + 5.5], "label": label} for i in range(7)]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"database": {"38ZxXyECPPU": {"annotations": segments}}}))
    return str(path)


def test_segments_of_activitynet_come_from_its_annotations(published: Path, tmp_path: Path) -> None:
    options = {"pattern": "v_{youtube_id}.mp4", "annotations": annotations(tmp_path)}
    clip = clip_of(dataset(published, "activitynet", **options), "38ZxXyECPPU_6")
    assert (clip.path, clip.start_seconds, clip.end_seconds) == (
        "videos/v_38ZxXyECPPU.mp4", 60.0, 65.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("label", "clip_id", "message"),
    [
        ("Archery", "38ZxXyECPPU_1", "is 'Capoeira' in the split and 'Archery'"),
        ("Capoeira", "WTMW2Ztmjd8_0", "which has 0"),
    ],
)
def test_annotations_that_do_not_fit_are_refused(
    published: Path, tmp_path: Path, label: str, clip_id: str, message: str
) -> None:
    options = {"pattern": "{youtube_id}.mp4", "annotations": annotations(tmp_path, label)}
    data = dataset(published, "activitynet", **options)
    known = {line.id for line in data.lines()}
    clip_id = clip_id if clip_id in known else min(known - {f"38ZxXyECPPU_{i}" for i in range(9)})
    with pytest.raises(ValueError, match=message):
        clip_of(data, clip_id)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("activitynet", {"pattern": "{youtube_id}.mp4"}, "need 'annotations'"),
        ("ucf", {"pattern": "{class}.avi"}, "needs {id}"),
        ("ucf", {"pattern": "{klass}/{id}.avi"}, "cannot be filled in"),
    ],
)
def test_patterns_that_lead_nowhere_are_refused(
    published: Path, name: str, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        dataset(published, name, **options)._placer()


def test_missing_files_are_rows_and_no_file_at_all_is_an_error(
    published: Path, tmp_path: Path
) -> None:
    data = dataset(published, "ucf", tmp_path)
    with pytest.raises(ValueError, match="none of the 6816 clips is there"):
        data.rows()
    one = tmp_path / "videos" / "Archery" / "v_Archery_g01_c06.avi"
    one.parent.mkdir(parents=True)
    one.touch()
    rows = data.rows()
    assert [row.video_id for row in rows if row.present] == ["v_Archery_g01_c06"]
    assert len(rows) == 6816 and sum(row.note == "no such file" for row in rows) == 6815


def test_a_shard_is_what_the_whole_list_has_of_it(published: Path, tmp_path: Path) -> None:
    data = dataset(published, "ucf", tmp_path)
    for name in ("Archery/v_Archery_g01_c06", "Basketball/v_Basketball_g01_c01"):
        file = tmp_path / "videos" / f"{name}.avi"
        file.parent.mkdir(parents=True)
        file.touch()
    whole = members(data.rows(), 4)
    assert {shard: data.shard(shard, 4) for shard in whole} == whole


def test_missing_split_files_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="avzsl fetch splits ucf"):
        dataset(tmp_path, "ucf").rows()


# --- fetching ---------------------------------------------------------------------------------


def test_every_file_is_pinned() -> None:
    files = split_files()
    assert len(files) == 84 and len({file.target for file in files}) == 84
    assert all(len(file.commit) == len(file.git_blob) == 40 for file in files)
    assert {file.dataset for file in files} == set(MAIN)


def test_files_are_copied_from_a_local_folder_and_verified(published: Path, tmp_path: Path) -> None:
    def no_net(url: str, target: Path) -> None:
        raise AssertionError(url)

    count = sum(file.dataset == "ucf" for file in split_files())
    assert fetch_splits("ucf", tmp_path, download=no_net, local=published) == count
    assert fetch_splits("ucf", tmp_path, download=no_net) == 0
    assert len(list(dataset(tmp_path, "ucf").lines())) == 6816
    damaged = next(iter((tmp_path / "avgzsl_benchmark_datasets").rglob("stage_1_train.csv")))
    damaged.write_text("filename,label\n")
    with pytest.raises(ValueError, match=r"stage_1_train\.csv is not the published file"):
        fetch_splits("ucf", tmp_path, download=no_net)


def test_a_download_is_verified_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"one\n")
    wanted = [
        SplitFile(dataset="ucf", repository="a/b", commit="c" * 40, path=f"x y/{i}",
                  target=f"t/{i}", git_blob=git_blob(content))
        for i in range(2)
    ]  # fmt: skip
    monkeypatch.setattr(splits, "split_files", lambda: tuple(wanted))
    asked = []

    def download(url: str, target: Path, text: bytes = b"one\n") -> None:
        asked.append(url)
        target.write_bytes(text)

    with pytest.raises(ValueError, match="is not the published file"):
        fetch_splits("ucf", tmp_path, download=lambda u, t: download(u, t, b"other\n"))
    assert not (tmp_path / "t" / "0").exists()
    assert fetch_splits("ucf", tmp_path, download=download) == 2
    assert asked[1:] == [f"https://raw.githubusercontent.com/a/b/{'c' * 40}/x%20y/0"], "once"


def test_a_benchmark_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"'imagenet'.*activitynet, ucf, vggsound"):
        fetch_splits("imagenet", tmp_path, download=lambda u, t: None)
