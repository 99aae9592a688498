"""``signal-visual``: colour, gradient and motion descriptors of short windows; nothing is learned.

Each picture is described by its colours, its edges and the mass of what stands out
(``appearance.py``), each window by how these and the picture itself change (``motion.py``). All
values are of the order of 1.

Shapes: N windows of a clip, B windows of a batch, f pictures of a window, G = B f pictures, S side,
D features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from avzsl.decode.sampling import VideoWindows
from avzsl.encoders import appearance, motion
from avzsl.encoders.base import EncoderSpec, VisualEncoder, encoders
from avzsl.encoders.pictures import letterbox
from avzsl.options import options
from avzsl.types import Frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor


PICTURES_IN_CACHE = 32
"""Pictures that a CPU describes at a time."""


@options
class SignalVisualOptions:
    """Options of ``signal-visual``."""

    size: Annotated[int, Field(ge=40, le=320)] = 64
    """Side in pixels of the square that pictures are fitted into."""
    frames: Annotated[int, Field(ge=2, le=64)] = 8
    """Pictures per window."""
    window_seconds: Annotated[float, Field(ge=0.1, le=60)] = 0.96
    """Length of a window; that of ``signal-audio``, so that the two lie on one grid."""
    hop_seconds: Annotated[float, Field(gt=0, le=60)] = 0.48
    """From one window to the next."""


@encoders.register("signal-visual")
class SignalVisual(VisualEncoder):
    """Hues, orientations, outline and movement."""

    kind = "signal-visual"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="colour, gradient and motion descriptors, weight-free",
        paper="dalal2005hog",
        licence="none needed",
    )
    Options = SignalVisualOptions
    options: SignalVisualOptions

    def __init__(self, options: SignalVisualOptions) -> None:
        super().__init__(options)
        self._device: torch.device | str = "cpu"

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        colour = 2 * appearance.HUES + 11
        edges = appearance.CELLS**2 * appearance.ORIENTATIONS + 2 * appearance.EDGE_ORDERS
        mass = 3 * motion.MASS_VALUES + 2 * appearance.EDGE_ORDERS
        change = appearance.CELLS**2 + 1 + 3 * motion.FLOW_VALUES
        return colour + edges + mass + change

    @property
    def windows(self) -> VideoWindows:
        """Full windows only; a shorter video is too short."""
        return VideoWindows(
            length_seconds=self.options.window_seconds,
            hop_seconds=self.options.hop_seconds,
            frames=self.options.frames,
        )

    def load(self, device: torch.device) -> None:
        """Note the device; there are no weights."""
        self._device = device

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows [N, f, 3, S, S], uint8."""
        import torch

        small_F3SS = letterbox(frames.rgb, size=self.options.size, device=self._device)
        return small_F3SS[torch.from_numpy(frames.plan.rows).to(self._device)]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        import torch

        with torch.autocast(windows.device.type, enabled=False):
            return torch.cat([_describe(part) for part in windows.split(self._chunk(windows))])

    def _chunk(self, windows: Tensor) -> int:
        """Return how many windows at a time: on a CPU as many as its cache holds."""
        if windows.device.type != "cpu":
            return len(windows) or 1
        return max(1, PICTURES_IN_CACHE // windows.shape[1])


def _describe(windows_Bf3SS: Tensor) -> Tensor:
    import torch

    frames = windows_Bf3SS.shape[1]

    def by_window(values_G: Tensor) -> Tensor:
        return values_G.unflatten(0, (-1, frames))

    channels = appearance.opponent_channels(windows_Bf3SS.flatten(0, 1).float() / 255)
    salience_GSS = appearance.salience(channels)
    edges = appearance.find_edges(channels)
    outline_BfO = by_window(appearance.edge_harmonics(appearance.find_edges([salience_GSS])))
    return torch.cat(
        [
            by_window(appearance.colour_descriptor(channels, salience_GSS)).mean(1),
            by_window(appearance.orientation_cells(edges)).mean(1),
            by_window(appearance.edge_harmonics(edges)).abs().mean(1),
            outline_BfO.abs().mean(1),
            motion.time_course(by_window(motion.mass_descriptor(salience_GSS))),
            motion.turning(outline_BfO),
            motion.change_map(by_window(channels.light)),
            motion.affine_motion(channels, salience_GSS, frames=frames),
        ],
        dim=1,
    )
