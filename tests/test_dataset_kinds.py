"""Folders and tables of videos, with every odd name that a user may have."""

import csv

import pytest

from avzsl.datasets.kinds import dataset_kinds
from avzsl.datasets.manifest import (
    members,
    members_id,
    read_manifest,
    split_id,
    write_manifest,
)

ODD_CLASSES = [
    "bee, wasp, etc. buzzing",
    "police car (siren)",
    'the "wave"',
    "rock'n'roll",
    "Müllabfuhr 垃圾",
    "-dash first",
    "with  two spaces",
    "a/b",
]


def write_table(path, lines, columns=("path", "class")):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(lines)


def table(root, **options):
    return dataset_kinds.get("table")("mine", {"path": "clips.csv"} | options, root).rows()


def folder(root, **options):
    return dataset_kinds.get("folder")("mine", {"path": "videos", **options}, root).rows()


def make_files(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))


@pytest.fixture()
def odd_table(tmp_path):
    names = [f"-clip {c} {i}.mp4" for c in range(len(ODD_CLASSES)) for i in range(4)]
    make_files(tmp_path, names)
    write_table(tmp_path / "clips.csv", [(n, ODD_CLASSES[int(n.split()[1])]) for n in names])
    return tmp_path


def test_odd_ids_and_classes_survive_the_manifest(odd_table):
    rows = table(odd_table)
    write_manifest(odd_table / "m.tsv", rows)
    assert read_manifest(odd_table / "m.tsv") == rows
    assert {row.class_name for row in rows} == set(ODD_CLASSES)
    assert all(row.present for row in rows)


def test_a_folder_of_class_folders(tmp_path):
    make_files(tmp_path, [f"videos/{c}/{i}.MP4" for c in "abcdefgh" for i in range(4)])
    make_files(tmp_path, ["videos/a/notes.txt", "videos/readme.mp4", "videos/a/.hidden.mp4"])
    rows = folder(tmp_path)
    assert len(rows) == 32
    assert rows[0].video_id == "a/0.MP4"
    assert rows[0].clip.path == "videos/a/0.MP4"


@pytest.mark.parametrize(
    ("make", "message"), [([], "is no folder"), (["videos/a/b.txt"], "no clip")]
)
def test_an_empty_folder_is_refused(tmp_path, make, message):
    make_files(tmp_path, make)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        folder(tmp_path)


def test_paths_start_from_the_table_from_a_folder_or_from_the_root(tmp_path):
    make_files(tmp_path, [f"{folder}/{c}{i}.mp4" for folder in "xy" for c in "abcd" for i in "012"])
    write_table(tmp_path / "x" / "clips.csv", [(f"{c}{i}.mp4", c) for c in "abcd" for i in "012"])
    beside = table(tmp_path, path="x/clips.csv")
    elsewhere = table(tmp_path, path="x/clips.csv", videos="y")
    assert (beside[0].clip.path, elsewhere[0].clip.path) == ("x/a0.mp4", "y/a0.mp4")
    lines = [(str(tmp_path / "y" / f"{c}{i}.mp4"), c) for c in "abcd" for i in "012"]
    write_table(tmp_path / "x" / "clips.csv", lines)
    absolute = table(tmp_path, path="x/clips.csv")
    assert absolute[0].clip.path == str(tmp_path / "y" / "a0.mp4")
    assert all(row.present for row in [*beside, *elsewhere, *absolute])


def test_a_missing_file_is_a_row_with_a_note(odd_table):
    (odd_table / "-clip 0 0.mp4").unlink()
    rows = table(odd_table)
    gone = [row for row in rows if not row.present]
    assert [row.video_id for row in gone] == ["-clip 0 0.mp4"]
    assert gone[0].note == "no such file"
    assert len(rows) == 32


def test_a_class_without_any_file_is_listed_and_drawn_for_nothing(odd_table):
    for path in odd_table.glob("-clip 7 *"):
        path.unlink()
    rows = table(odd_table)
    assert {row.subset for row in rows if row.class_name == ODD_CLASSES[7]} == {"train"}


def test_segments_have_ids_of_their_own(tmp_path):
    make_files(tmp_path, [f"{c}.mp4" for c in "abcdefgh"])
    lines = [(f"{c}.mp4", c, i, i + 2.5) for c in "abcdefgh" for i in range(4)]
    columns = ("path", "class", "start_seconds", "end_seconds")
    write_table(tmp_path / "clips.csv", lines, columns)
    rows = table(tmp_path)
    assert rows[1].video_id == "a.mp4#1-3.5"
    assert (rows[1].clip.start_seconds, rows[1].clip.end_seconds) == (1.0, 3.5)
    write_manifest(tmp_path / "m.tsv", rows)
    assert read_manifest(tmp_path / "m.tsv") == rows


@pytest.mark.parametrize(
    ("lines", "columns", "message"),
    [
        ([], ("path", "class"), "lists no clip"),
        ([("a.mp4", "a")], ("path", "label"), "no column 'class'"),
        ([("a.mp4", "a", "x")], ("path", "class", "start_seconds"), "must be a number of seconds"),
        (
            [("a.mp4", "a", "3", "2")],
            ("path", "class", "start_seconds", "end_seconds"),
            "start < end",
        ),
        ([("a.mp4", "a"), ("a.mp4", "b")], ("path", "class"), "none of the 2 files is there"),
        ([("a.mp4", "a", "trian")], ("path", "class", "subset"), "Did you mean 'train'"),
        (
            [("a.mp4", "a", "train"), ("b.mp4", "a", "test_unseen")],
            ("path", "class", "subset"),
            "both test_unseen and train",
        ),
        (
            [("a.mp4", "a", "val_seen"), ("b.mp4", "a", "val_unseen")],
            ("path", "class", "subset"),
            "both val_unseen and val_seen",
        ),
        (
            [("a.mp4", "a", "train"), ("a.mp4", "a", "train")],
            ("path", "class", "subset"),
            "'a.mp4' occurs more than once",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_the_place(tmp_path, lines, columns, message):
    write_table(tmp_path / "clips.csv", lines, columns)
    with pytest.raises(ValueError, match=r"datasets\.mine") as caught:
        table(tmp_path)
    assert message in str(caught.value)


def test_shards_are_stable_and_split_in_two_when_doubled(odd_table):
    rows = table(odd_table)
    eight, sixteen = members(rows, 8), members(rows, 16)
    for shard, own in eight.items():
        halves = sixteen[shard] + sixteen[f"{int(shard) + 8:04d}"]
        assert sorted(own, key=lambda r: r.video_id) == sorted(halves, key=lambda r: r.video_id)
    fewer = members(rows[1:], 8)
    touched = [s for s in eight if members_id(eight[s]) != members_id(fewer[s])]
    assert len(touched) == 1


def test_a_new_split_is_no_new_extraction(odd_table):
    rows = table(odd_table)
    other = table(odd_table, split={"seed": 1})
    assert split_id(rows) != split_id(other)
    assert members_id(rows) == members_id(other)
