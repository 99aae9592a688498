"""What the scripts that make golden files and the tests of CLIP and X-CLIP share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import random_state
from tiny.clip_xclip import write_vocabulary
from torch import Tensor

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
from avzsl.encoders import encoders
from avzsl.types import Frames

FOLDER = Path(__file__).parent / "golden" / "encoders"
NAMES = (
    "dog barking",
    "playing the drum",
    "people sing a Video of 3 violins",
    "bee, wasp",
    " ".join(["dog"] * 90),
)
"""The last has more tokens than there are places."""
CLIPS = (
    "vggsound/-1pRmoJIGQc_000010.mp4",
    "odd/testsrc2_odd_height_and_width_vp9.mp4",
    "ucf_like/clip.avi",
)
"""1280 x 720, 321 x 241 and 320 x 240 pixels."""
STEP = 9
"""Every so many-th row and column of a preprocessed picture is kept."""
FRAMES_PER_SECOND = 0.4
"""Of ``clip-frames`` in the golden file: few pictures."""


def golden(name: str) -> dict[str, Any]:
    """Arrays of a golden file; the layout as a mapping, name -> [shape..., dtype]."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {
            key: json.loads(str(file[key])) if key == "layout" else torch.from_numpy(file[key])
            for key in file.files
        }


def original(kind: str, folder: Path, state: Mapping[str, Tensor], **options: Any) -> Any:
    """The encoder, loaded from a file in the authors' layout."""
    file = folder / "original.pth"
    file.unlink(missing_ok=True)  # loaded weights are mapped from it
    torch.save({"model": dict(state), "epoch": 30}, file)
    write_vocabulary(folder)
    encoder = encoders.get(kind).from_dict({"weights": str(file), **options})
    encoder.load(torch.device("cpu"))
    return encoder


def mutants(layout: Mapping[str, list], parts: tuple[str, ...]) -> Iterator[tuple[str, dict]]:
    """The random state with one tensor changed, for each whose name begins with one of ``parts``.

    Of the blocks of a transformer only the last changes. Noise, since norms take constants away.
    """
    state, other = random_state(layout), random_state(layout, seed=1)
    for name in state:
        if name.startswith(parts) and "resblocks.0." not in name:
            yield name, {**state, name: 0.7 * state[name] + 0.3 * other[name]}


def difference(left: Tensor, right: Tensor) -> float:
    assert left.shape == right.shape, (left.shape, right.shape)
    return float((left - right).abs().max())


def read_pictures(clip: Path, windows: VideoWindows) -> Frames:
    return read_frames(str(clip), windows, decoder=DecoderChoice(name="pyav"))
