"""From ``weights:`` in the configuration to files: names, paths, what is missing, ids."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from avzsl.encoders import encoders
from avzsl.sources import hashing
from avzsl.sources.checkpoint import (
    MissingWeightsError,
    find_checkpoint,
    is_random,
    present,
    source_name,
)
from avzsl.sources.table import get_source, sources

NET = ("*.pth|*.safetensors",)
KNOWN = ("imagebind-huge",)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    monkeypatch.setenv("AVZSL_WEIGHTS", str(folder))
    return folder


def put(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_every_encoder_names_published_weights_that_are_in_the_table() -> None:
    named = {source for kind in encoders.names() for source in encoders.get(kind).sources}
    assert named == set(sources())


@pytest.mark.parametrize("name", sorted(sources()))
def test_every_entry_of_the_table_is_complete(name: str) -> None:
    source = get_source(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert source.title and source.licence and source.layout and source.megabytes > 0
    assert source.page.startswith(("https://", "http://"))
    assert source.files and len({file.name for file in source.files}) == len(source.files)
    for file in source.files:
        assert file.url.startswith(("https://", "http://")) or (not file.url and source.how)
        assert re.fullmatch(r"|[0-9a-f]{64}", file.sha256)
        assert Path(file.name).name == file.name, "a plain name, below the checkpoint's folder"


def test_unknown_weights_name_the_nearest() -> None:
    with pytest.raises(LookupError, match="Did you mean 'imagebind-huge'"):
        get_source("imagebind-hug")
    with pytest.raises(LookupError, match="imagebind-huge"):
        source_name("imagebind-hug", KNOWN)


def test_what_the_configuration_can_say() -> None:
    assert source_name("imagebind-huge", KNOWN) == "imagebind-huge"
    assert source_name("random", ("b", "a")) == "b"
    assert source_name("random:a", ("b", "a")) == "a"
    assert source_name("./net.pth", KNOWN) is None and source_name("~/net", KNOWN) is None
    assert is_random("random") and is_random("random:a") and not is_random("randomised")
    with pytest.raises(LookupError):
        source_name("random:c", ("b", "a"))


def test_a_published_checkpoint_is_found_in_the_folder_of_weights(weights: Path) -> None:
    file = put(weights / "imagebind-huge" / "imagebind_huge.pth")
    assert find_checkpoint("imagebind-huge", KNOWN, NET).file(NET[0]) == file


def test_missing_weights_say_how_to_get_them(weights: Path) -> None:
    with pytest.raises(MissingWeightsError, match="avzsl fetch weights imagebind-huge") as error:
        find_checkpoint("imagebind-huge", KNOWN, NET)
    assert "no commercial use" in str(error.value) and "MB" in str(error.value)


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"net\.pth' is not there"):
        find_checkpoint(str(tmp_path / "net.pth"), KNOWN, NET)
    put(tmp_path / "other.txt")
    with pytest.raises(MissingWeightsError, match=r"holds no \*\.pth or \*\.safetensors"):
        find_checkpoint(str(tmp_path), KNOWN, NET)


def test_alternatives_are_tried_in_order(tmp_path: Path) -> None:
    second = put(tmp_path / "a.safetensors")
    assert find_checkpoint(str(tmp_path), KNOWN, NET).file(NET[0]) == second
    first = put(tmp_path / "a.pth")
    assert find_checkpoint(str(tmp_path), KNOWN, NET).file(NET[0]) == first
    assert find_checkpoint(str(second), KNOWN, NET).file(NET[0]) == second, "a file is that file"


def test_companions_lie_beside_a_file_and_may_be_optional(tmp_path: Path) -> None:
    net, pca = put(tmp_path / "net.pth"), put(tmp_path / "pca.npz")
    found = find_checkpoint(str(net), KNOWN, (*NET, "*.npz", "?vocab.json"))
    assert found.file("*.npz") == pca and "?vocab.json" not in found.files
    assert found.folder == tmp_path and found.bytes == 2


def test_parts_of_a_large_checkpoint_come_together(tmp_path: Path) -> None:
    parts = [put(tmp_path / f"model-{i}.safetensors", str(i)) for i in range(3)]
    assert find_checkpoint(str(tmp_path), KNOWN, NET).files[NET[0]] == tuple(parts)


def test_the_id_is_that_of_the_content(tmp_path: Path, weights: Path) -> None:
    first = find_checkpoint(str(put(tmp_path / "a" / "x.pth", "same")), KNOWN, NET)
    other = find_checkpoint(str(put(tmp_path / "b" / "y.pth", "same")), KNOWN, NET)
    changed = find_checkpoint(str(put(tmp_path / "c" / "x.pth", "other")), KNOWN, NET)
    assert first.id == other.id != changed.id


def test_a_hash_is_computed_once_for_each_size_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path / "net.pth", "one")
    first = hashing.file_sha256(file, cache_folder=tmp_path)
    computed = []
    digest = hashing.hashlib.file_digest
    monkeypatch.setattr(hashing.hashlib, "file_digest", lambda *a: computed.append(1) or digest(*a))
    assert hashing.file_sha256(file, cache_folder=tmp_path) == first and not computed
    put(file, "two")
    os.utime(file, ns=(1, 1))
    assert hashing.file_sha256(file, cache_folder=tmp_path) != first and computed


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_damaged_cache_of_hashes_does_no_harm(tmp_path: Path, content: str) -> None:
    file = put(tmp_path / "net.pth", "one")
    put(tmp_path / hashing.CACHE_NAME, content)
    assert len(hashing.file_sha256(file, cache_folder=tmp_path)) == 64


def test_present_asks_for_every_file(weights: Path) -> None:
    names = [file.name for file in get_source("imagebind-huge").files]
    for name in names:
        assert not present("imagebind-huge")
        put(weights / "imagebind-huge" / name)
    assert present("imagebind-huge")
