"""``signal-visual``: colour, gradient and motion descriptors of short windows; nothing is learned.

Each picture of a clip is described once: its colours, its edges, the mass of what stands out
(``appearance.py``) and a coarse copy of itself. Windows overlap and share these descriptions; a
window is described by their means and by how they change (``motion.py``). All values are of the
order of 1.

Shapes: F pictures of a clip, N windows of a clip, B windows of a batch, f pictures of a window,
S side, C side of the coarse copy, X values of a picture, O orders of a series, D features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

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

PICTURES_AT_ONCE = 32
"""Pictures described at a time: more would not stay in a CPU's cache."""

PARTS = (
    appearance.COLOUR_VALUES,
    appearance.CELL_VALUES,
    appearance.EDGE_ORDERS,
    2 * appearance.EDGE_ORDERS,
    motion.MASS_VALUES,
    4 * motion.COARSE**2,
)
"""Lengths of the parts of a picture's description: colours, cells of orientations, edge series
(magnitude), outline series (real and imaginary parts), mass, coarse copy."""


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
    short: Literal["pad", "fail"] = "pad"
    """A clip shorter than a window: ``pad`` takes it as one window in which the last picture
    stands still, ``fail`` leaves it out as too short."""


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
        colour, cells, edges, _, mass, _ = PARTS
        turning = 3 * appearance.EDGE_ORDERS
        return (
            colour + cells + edges + turning + 3 * mass + motion.CHANGE_VALUES + motion.FLOW_VALUES
        )

    @property
    def windows(self) -> VideoWindows:
        """Full windows; ``short`` says what becomes of a clip that has none."""
        return VideoWindows(
            length_seconds=self.options.window_seconds,
            hop_seconds=self.options.hop_seconds,
            frames=self.options.frames,
            short=self.options.short,
        )

    def load(self, device: torch.device) -> None:
        """Note the device; there are no weights."""
        self._device = device

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows [N, f, X] of described pictures."""
        import torch

        small_F3SS = letterbox(frames.rgb, size=self.options.size, device=self._device)
        with torch.autocast(small_F3SS.device.type, enabled=False):
            parts = [_describe_pictures(part) for part in small_F3SS.split(PICTURES_AT_ONCE)]
        return torch.cat(parts)[torch.from_numpy(frames.plan.rows).to(self._device)]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        import torch

        with torch.autocast(windows.device.type, enabled=False):
            return _describe_windows(windows)


def _describe_pictures(rgb_F3SS: Tensor) -> Tensor:
    """Return [F, X], the parts in the order of ``PARTS``."""
    import torch

    channels = appearance.opponent_channels(rgb_F3SS.float() / 255)
    salience_FSS = appearance.salience(channels)
    edges = appearance.find_edges(channels)
    outline_FO = appearance.edge_harmonics(appearance.find_edges([salience_FSS]))
    return torch.cat(
        [
            appearance.colour_descriptor(channels, salience_FSS),
            appearance.orientation_cells(edges),
            appearance.edge_harmonics(edges).abs(),
            torch.view_as_real(outline_FO).flatten(1),
            motion.mass_descriptor(salience_FSS),
            motion.coarse_copy(channels, salience_FSS).flatten(1),
        ],
        dim=1,
    )


def _describe_windows(windows_BfX: Tensor) -> Tensor:
    """Return [B, D] from described pictures."""
    import torch

    *still, outline, mass_BfX, coarse = windows_BfX.split(PARTS, dim=2)
    outline_BfO = torch.view_as_complex(outline.unflatten(2, (-1, 2)).contiguous())
    coarse_Bf4CC = coarse.unflatten(2, (4, motion.COARSE, motion.COARSE))
    return torch.cat(
        [
            *(part.mean(1) for part in still),
            outline_BfO.abs().mean(1),
            motion.turning(outline_BfO),
            motion.time_course(mass_BfX),
            motion.change_map(coarse_Bf4CC[:, :, 0]),
            motion.affine_motion(coarse_Bf4CC),
        ],
        dim=1,
    )
