"""What every registered encoder promises, whichever package it comes from.

To set the lock anew after a change: ``python tests/test_encoders_contract.py --refresh``.
"""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from code_lock import Lock, code_hash, complaint, read_locks, with_imports, write_locks
from encoder_clips import CLIPS, encode_one, least_seconds, windows_of
from tiny import tiny_options

from avzsl.encoders import AudioEncoder, Encoder, TextEncoder, VisualEncoder, encoders
from avzsl.encoders.published import Published
from avzsl.options import as_dict, json_schema

LOCKS = Path(__file__).with_name("encoder_revisions.json")
COMMAND = f"python tests/{Path(__file__).name} --refresh"
CONTRACT = ("base", "pretrained", "states", "__init__")
"""Modules that all encoders share and whose code makes no features."""

OTHER_VALUES: dict[tuple[str, str], Any] = {
    ("described-clip", "parts"): ["d2", "d3"],
    ("joined", "encoders"): [{"kind": "signal-text"}],
}
"""Another valid value of an option, by kind and name, where the test cannot find one."""

KINDS = encoders.names()
TOLERANCE = 1e-6


def kinds_of(base: type[Encoder]) -> list[str]:
    return [kind for kind in KINDS if issubclass(encoders.get(kind), base)]


def build(kind: str, **changes: Any) -> Any:
    encoder = encoders.get(kind).from_dict(tiny_options(kind) | changes)
    encoder.load(torch.device("cpu"))
    return encoder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- every encoder ----------------------------------------------------------------------------


def test_there_are_encoders_of_all_modalities() -> None:
    assert kinds_of(AudioEncoder) and kinds_of(VisualEncoder) and kinds_of(TextEncoder)


@pytest.mark.parametrize("kind", KINDS)
def test_describes_itself(kind: str, root: Path) -> None:
    cls = encoders.get(kind)
    assert cls.kind == kind and re.fullmatch(r"[a-z0-9-]+", kind)
    bases = {"audio": AudioEncoder, "visual": VisualEncoder, "text": TextEncoder}
    # Published features are looked up: there is nothing to decode, and no network.
    assert issubclass(cls, Published) or issubclass(cls, bases[cls.modality])
    assert cls.spec.revision >= 1 and cls.spec.licence
    assert cls.spec.summary and "\n" not in cls.spec.summary
    assert inspect.getdoc(cls)
    keys = set()
    for file in (root / "src" / "avzsl").glob("*.bib"):
        keys |= set(re.findall(r"^@\w+\{([^,\s]+),", file.read_text(encoding="utf-8"), re.M))
    assert cls.spec.paper in keys


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_says_what_it_means(kind: str) -> None:
    for name, schema in json_schema(encoders.get(kind).Options)["properties"].items():
        assert schema.get("description"), f"{kind}.{name} has no docstring"


@pytest.mark.parametrize("kind", KINDS)
def test_fingerprint_changes_with_every_option(kind: str) -> None:
    encoder = build(kind)
    seen = {whole_id(encoder): "the defaults"}
    assert whole_id(build(kind)) == whole_id(encoder)
    for field in dataclasses.fields(encoder.options):
        changed = whole_id(another(kind, field.name, encoder))
        assert changed not in seen, f"{field.name} and {seen[changed]}"
        seen[changed] = field.name


def whole_id(encoder: Encoder) -> str:
    """What the workflow takes for the id of what the encoder makes."""
    return (
        encoder.fingerprint_of(NAMES) if isinstance(encoder, TextEncoder) else encoder.fingerprint
    )


def another(kind: str, name: str, encoder: Encoder) -> Encoder:
    """The encoder with another valid value of one option."""
    value = getattr(encoder.options, name)
    choices = typing.get_args(typing.get_type_hints(type(encoder.options)).get(name))
    candidates: list[Any] = [OTHER_VALUES[kind, name]] if (kind, name) in OTHER_VALUES else []
    if name == "weights":
        candidates.append("random")
    if isinstance(value, bool):
        candidates.append(not value)
    elif isinstance(value, (int, float)):
        candidates += [value + 1, value - 1, value * 2, value // 2, value * 0.9, value * 1.1]
    elif isinstance(value, str):
        candidates += [choice for choice in choices if choice != value] + [f"{value}-other"]
    elif value is None:
        candidates += [1, 0.5, "other"]
    for candidate in candidates:
        try:
            return encoders.get(kind).from_dict(tiny_options(kind) | {name: candidate})
        except (ValueError, LookupError):
            continue
    pytest.fail(f"No other value found for {kind}.{name} = {value!r}; give one in OTHER_VALUES.")


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_options_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="no_such_option"):
        encoders.get(kind).from_dict({"no_such_option": 1})


@pytest.mark.parametrize("kind", KINDS)
def test_options_survive_a_round_trip(kind: str) -> None:
    encoder = build(kind)
    again = encoders.get(kind).from_dict(as_dict(encoder.options))
    assert again.options == encoder.options and again.fingerprint == encoder.fingerprint


def test_no_encoder_imports_torch() -> None:
    code = (
        "import sys; from avzsl.encoders import encoders; names = encoders.names()\n"
        "made = [encoders.get(n).from_dict({}) for n in names]\n"
        "[e.fingerprint for e in made if not hasattr(type(e), 'checkpoint') and not e.components]\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'av', 'h5py', 'transformers', 'timm')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def current_locks() -> dict[str, Lock]:
    locks: dict[str, Lock] = {}
    for kind in KINDS:
        cls = encoders.get(kind)
        if cls.__module__.startswith("avzsl."):
            files = with_imports(Path(inspect.getfile(cls)), shared=CONTRACT)
            locks[kind] = Lock(revision=cls.spec.revision, code=code_hash(files))
    return locks


@pytest.mark.parametrize("kind", sorted(current_locks()))
def test_code_is_locked_to_its_revision(kind: str) -> None:
    wrong = complaint(kind, locked=read_locks(LOCKS), now=current_locks()[kind], command=COMMAND)
    assert wrong is None, wrong


def test_lock_names_no_encoder_that_is_gone() -> None:
    assert set(read_locks(LOCKS)) == set(current_locks()), COMMAND


# --- sound and pictures -----------------------------------------------------------------------

WINDOWED = [*kinds_of(AudioEncoder), *kinds_of(VisualEncoder)]


@pytest.mark.parametrize("kind", WINDOWED)
def test_any_clip_gives_finite_features(kind: str) -> None:
    encoder = build(kind)
    for clip in CLIPS[encoder.modality]:
        features = encode_one(encoder, **clip)
        assert features.dtype == torch.float32 and features.ndim == 2, clip
        assert features.shape[1] == encoder.dim and len(features) >= 1, clip
        assert torch.isfinite(features).all(), clip


@pytest.mark.parametrize("kind", WINDOWED)
def test_one_row_for_each_window(kind: str) -> None:
    encoder = build(kind)
    for seconds_more in (0.02, 0.96, 2.5, 10.3):
        features = encode_one(encoder, seconds_more=seconds_more)
        seconds = least_seconds(encoder) + seconds_more
        if encoder.modality == "visual":
            frames = round(seconds * 12.5)  # as the clips of these tests have
            expected = encoder.windows.plan(np.arange(frames) / 12.5, frames / 12.5).spans
        else:
            expected = encoder.windows.spans(round(seconds * 16_000) / 16_000)
        assert features.shape == (len(expected), encoder.dim) and len(expected)


@pytest.mark.parametrize("kind", WINDOWED)
def test_same_clip_same_bits(kind: str) -> None:
    first = encode_one(encoder := build(kind))
    assert torch.equal(first, encode_one(encoder))
    assert torch.equal(first, encode_one(build(kind)))


@pytest.mark.parametrize("kind", WINDOWED)
def test_another_clip_another_feature(kind: str) -> None:
    encoder = build(kind)
    assert (encode_one(encoder, seed=0) - encode_one(encoder, seed=1)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", WINDOWED)
def test_batch_does_not_matter(kind: str) -> None:
    encoder = build(kind)
    batch = torch.cat([windows_of(encoder, **clip) for clip in CLIPS[encoder.modality][::3]])
    with torch.inference_mode():
        together = encoder.encode(batch)
        alone = torch.cat([encoder.encode(window[None]) for window in batch])
        backwards = encoder.encode(batch.flip(0)).flip(0)
        halves = torch.cat([encoder.encode(half) for half in batch.tensor_split(2)])
    for other in (alone, backwards, halves):
        assert difference(together, other) <= TOLERANCE


@pytest.mark.parametrize("kind", WINDOWED)
def test_threads_do_not_matter(kind: str) -> None:
    encoder = build(kind)
    windows = windows_of(encoder)
    with torch.inference_mode():
        alone = encoder.encode(windows)
        torch.set_num_threads(2)
        assert difference(alone, encoder.encode(windows)) <= TOLERANCE


def difference(left: torch.Tensor, right: torch.Tensor) -> float:
    """Largest difference, relative where values are above 1."""
    return float(((left - right).abs() / left.abs().clamp(min=1)).max())


@pytest.mark.needs_cuda
@pytest.mark.parametrize("kind", WINDOWED)
def test_gpu_and_cpu_agree(kind: str) -> None:
    encoder = build(kind)
    here = encode_one(encoder, kind="noise")
    encoder.load(torch.device("cuda"))
    there = encode_one(encoder, kind="noise")
    assert there.device.type == "cuda"
    # Pictures are resized on bytes here and on floats there: one level of 255 apart at most.
    assert difference(here, there.cpu()) < 0.02


@pytest.mark.parametrize("kind", WINDOWED)
def test_windows_travel_to_workers(kind: str) -> None:
    windows = build(kind).windows
    assert pickle.loads(pickle.dumps(windows)) == windows


@pytest.mark.parametrize("kind", WINDOWED)
def test_arguments_are_left_as_they_were(kind: str) -> None:
    encoder = build(kind)
    windows = windows_of(encoder)
    before = windows.clone()
    encoder.encode(windows)
    assert torch.equal(windows, before)


# --- text -------------------------------------------------------------------------------------

NAMES = ["dog barking", "bee, wasp, etc. buzzing", "playing the saxophone (alto)", "été à vélo"]


@pytest.mark.parametrize("kind", kinds_of(TextEncoder))
def test_names_become_vectors(kind: str) -> None:
    encoder = build(kind)
    vectors = encoder.encode(NAMES)
    assert vectors.shape == (len(NAMES), encoder.dim) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all() and (np.linalg.norm(vectors, axis=1) > 0).all()
    assert np.array_equal(vectors, build(kind).encode(NAMES))
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    assert (distances + np.eye(len(NAMES)) > 1e-3).all()


@pytest.mark.parametrize("kind", kinds_of(TextEncoder))
def test_other_names_do_not_matter(kind: str) -> None:
    encoder = build(kind)
    together = encoder.encode(NAMES)
    alone = np.concatenate([encoder.encode([name]) for name in NAMES])
    backwards = encoder.encode(NAMES[::-1])[::-1]
    assert np.abs(together - alone).max() <= TOLERANCE
    assert np.abs(together - backwards).max() <= TOLERANCE


if __name__ == "__main__":
    if sys.argv[1:] != ["--refresh"]:
        sys.exit(f"usage: {COMMAND}")
    write_locks(LOCKS, current_locks())
