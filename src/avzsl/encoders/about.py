"""What ``avzsl show encoder`` prints: facts of an encoder, its sizes, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from avzsl.encoders.base import AudioEncoder, Encoder, VisualEncoder, encoders
from avzsl.encoders.joined import Joined
from avzsl.encoders.pretrained import Pretrained, WithWeights
from avzsl.options import as_dict, json_schema
from avzsl.sources.checkpoint import present
from avzsl.sources.table import sources
from avzsl.types import Frames, VideoInfo, Waveform

SECONDS = 10.0
"""Length of the clip whose cost is counted."""
PICTURE = (240, 320)
"""Height and width of its pictures, in pixels; the network's cost does not depend on them."""


def describe(kind: str, values: Mapping[str, Any] | None = None) -> str:
    """Return some lines about an encoder.

    Args:
        kind: Registered name.
        values: Options that differ from the defaults.

    Raises:
        LookupError: If there is no such encoder.
        ValueError: If an option is wrong.
    """
    cls = encoders.get(kind)
    encoder = cls.from_dict(dict(values or {}))
    sized = with_sizes(encoder)
    spec = cls.spec
    lines = [
        (kind, f"{cls.modality}: {spec.summary}"),
        ("paper", f"{spec.paper} (references.bib)"),
        ("licence", spec.licence),
        ("preprocessing", spec.preprocessing or "none"),
        ("output", spec.output),
        ("dimensions", str(sized.dim)),
        *_placement(sized),
        ("cost", _cost(sized)),
        *_weights(encoder),
        *_options(cls, encoder),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines if text)


def with_sizes(encoder: Encoder) -> Encoder:
    """Return the encoder, or where its weights are not here one of the same sizes without them."""
    if isinstance(encoder, Joined):
        sized = [with_sizes(component) for component in encoder.components]
        parts = [{"kind": part.kind, "options": as_dict(part.options)} for part in sized]
        return Joined.from_dict(as_dict(encoder.options) | {"encoders": parts})
    if not isinstance(encoder, WithWeights):
        return encoder
    try:
        _ = encoder.checkpoint
    except FileNotFoundError:
        values = as_dict(encoder.options)
        return type(encoder).from_dict(values | {"weights": f"random:{values['weights']}"})
    return encoder


def gflop(encoder: Encoder, seconds: float = SECONDS) -> float | None:
    """Return the floating-point operations of the network for a clip, in 1e9; a multiply-add is 2.

    Counted on the meta device, so nothing is computed.

    Returns:
        None for an encoder without a network, or one that is not counted in this way.
    """
    if not isinstance(encoder, Pretrained):
        return None
    if not isinstance(encoder, (AudioEncoder, VisualEncoder)):
        return None
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        encoder.network = encoder.build(encoder.sizes).eval()
    encoder.device = torch.device("cpu")
    windows = empty_windows(encoder, seconds).to("meta")
    encoder.device = torch.device("meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        encoder.encode(windows)
    return counter.get_total_flops() / 1e9


def empty_windows(encoder: Encoder, seconds: float) -> Any:
    """Return the windows of a silent or black clip."""
    if isinstance(encoder, AudioEncoder):
        samples = np.zeros((1, round(16_000 * seconds)), np.float32)
        waveform = Waveform(samples=samples, sample_rate=16_000)
        return encoder.preprocess(waveform, encoder.windows.spans(seconds))
    assert isinstance(encoder, VisualEncoder)
    pts = np.arange(round(25 * seconds)) / 25
    plan = encoder.windows.plan(pts, seconds)
    info = VideoInfo(
        width=PICTURE[1],
        height=PICTURE[0],
        rotation=0,
        fps=25.0,
        pts_seconds=pts,
        duration_seconds=seconds,
    )
    rgb = np.zeros((len(plan.indices), *PICTURE, 3), np.uint8)
    return encoder.preprocess(Frames(rgb=rgb, plan=plan, info=info))


def _placement(encoder: Encoder) -> list[tuple[str, str]]:
    if not isinstance(encoder, (AudioEncoder, VisualEncoder)):
        return []
    windows = encoder.windows
    if isinstance(encoder, VisualEncoder):
        pts = np.arange(250) / 25
        count = len(encoder.windows.plan(pts, SECONDS).spans)
        frames = f", {encoder.windows.frames} pictures each"
    else:
        count, frames = len(windows.spans(SECONDS)), ""
    return [("windows", f"{windows}{frames}; a clip of {SECONDS:g} s has {count}")]


def _cost(encoder: Encoder) -> str:
    operations = gflop(encoder)
    if operations is None:
        return ""
    return f"{operations:,.1f} GFLOP for a clip of {SECONDS:g} s (a multiply-add is 2)"


def _weights(encoder: Encoder) -> list[tuple[str, str]]:
    lines = [line for component in encoder.components for line in _weights(component)]
    for name in encoder.sources:
        source = sources()[name]
        here = "here" if present(name) else f"get them: avzsl fetch weights {name}"
        lines.append(
            ("weights", f"{name}: {source.title}, {source.megabytes:,} MB, {source.terms}; {here}")
        )
        lines.append(("", f"{source.page} ({source.layout})"))
    return lines


def _options(cls: type[Encoder], encoder: Encoder) -> list[tuple[str, str]]:
    about = json_schema(cls.Options)["properties"]
    return [
        (f"  {name}", f"{value!r}: {' '.join(about[name].get('description', '').split())}")
        for name, value in as_dict(encoder.options).items()
    ]
