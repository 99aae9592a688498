"""VGGish's files: both layouts, what is refused, the PCA, and what random weights are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_clips import windows_of
from random_states import random_array, random_state
from tiny.vggish_c3d import vggish_layout, write_vggish

from avzsl.encoders import encoders
from avzsl.encoders.vggish import VggishSizes
from avzsl.sources.checkpoint import MissingWeightsError

INPUTS = torch.from_numpy(random_array(4, 96, 64, seed=1, scale=2.0)) - 1


def build(path: Path | str, **options: Any) -> Any:
    encoder = encoders.get("vggish").from_dict({"weights": str(path)} | options)
    encoder.load(torch.device("cpu"))
    return encoder


def test_both_layouts_give_the_same_features(tmp_path: Path) -> None:
    state = random_state(vggish_layout())
    port = {name.replace("embeddings", "fc"): tensor for name, tensor in state.items()}
    for folder, tensors in (("one", state), ("other", port)):
        (tmp_path / folder).mkdir()
        write_vggish(tmp_path / folder, tensors)
    one, other = build(tmp_path / "one"), build(tmp_path / "other" / "vggish.pth")
    assert torch.equal(one.encode(INPUTS), other.encode(INPUTS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.3.bias": None}, "missing: features.3.bias"),
        ({"features.99.bias": torch.zeros(2)}, "unexpected: features.99.bias"),
        ({"embeddings.0.weight": torch.zeros(24, 250)}, "of another shape: embeddings.0.weight"),
        ({"features.8.weight": None}, "not VGGish.*features.8.weight"),
    ],
)
def test_other_tensors_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    state = {**random_state(vggish_layout()), **change}
    path = write_vggish(
        tmp_path, {name: tensor for name, tensor in state.items() if tensor is not None}
    )
    with pytest.raises(ValueError, match=message):
        build(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pca_means": np.zeros(16)}, "expected the arrays pca_eigen_vectors"),
        (
            {"pca_eigen_vectors": np.zeros((8, 8)), "pca_means": np.zeros(8)},
            "of another shape: pca_matrix",
        ),
        (
            {"pca_eigen_vectors": np.array([print], object), "pca_means": np.zeros(16)},
            "allow_pickle",
        ),
    ],
)
def test_other_pca_is_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_vggish(tmp_path)
    np.savez(tmp_path / "vggish_pca_params.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        build(path)


def test_pca_is_asked_for_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_vggish(tmp_path)
    raw = build(path, postprocess="raw")
    (tmp_path / "vggish_pca_params.npz").unlink()
    encoder = encoders.get("vggish").from_dict({"weights": str(path)})
    with pytest.raises(MissingWeightsError, match=r"vggish_pca_params.npz beside vggish.pth"):
        _ = encoder.fingerprint
    assert build(path, postprocess="raw").fingerprint == raw.fingerprint
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeightsError, match="avzsl fetch weights vggish"):
        _ = encoders.get("vggish").from_dict({}).fingerprint
    (tmp_path / "vggish").mkdir()
    shutil.copy(path, tmp_path / "vggish")
    with pytest.raises(MissingWeightsError, match=r"avzsl fetch weights vggish.*postprocess: raw"):
        _ = encoders.get("vggish").from_dict({}).fingerprint


def test_pca_counts_in_the_fingerprint(tmp_path: Path) -> None:
    path = write_vggish(tmp_path)
    before = build(path).fingerprint
    np.savez(
        tmp_path / "vggish_pca_params.npz", pca_eigen_vectors=np.eye(16), pca_means=np.zeros(16)
    )
    assert build(path).fingerprint != before


def test_published_size() -> None:
    golden = np.load(Path(__file__).parent / "golden" / "encoders" / "vggish.npz")
    encoder = encoders.get("vggish").from_dict({"weights": "random:vggish"})
    with torch.device("meta"):
        network = encoder.build(encoder.sizes)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == golden["parameters"] == 72_141_184 and encoder.dim == 128


def test_untrained_network_needs_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        encoders.get("vggish").published,
        "vggish",
        VggishSizes(channels=(4, 4, 8, 8, 8, 8), widths=(32, 32, 128)),
    )
    encoder = build("random")
    levels = encoder.encode(windows_of(encoder))
    assert encoder.untrained and levels.std(1).min() > 10
    assert torch.equal(levels, build("random").encode(windows_of(encoder)))
    raw = build("random", postprocess="raw").encode(windows_of(encoder))
    assert torch.equal(levels, ((raw.clamp(-2, 2) + 2) * 63.75).floor())
