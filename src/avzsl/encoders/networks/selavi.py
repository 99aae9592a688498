"""The two networks of SeLaVi, with the tensor names of torchvision.

R(2+1)D (Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR
2018): every 3-D convolution is one over space, a norm and a ReLU, and one over time. And ResNet
(He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) on spectrograms, one channel
in. Both end in the mean over all places; neither has a classifier.

Shapes: B windows, C channels, T times, H height, W width, D features.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from avzsl.encoders.selavi import ResNetSizes


class R2Plus1d(nn.Module):
    """From windows of pictures [B, 3, T, H, W] to vectors [B, D]."""

    def __init__(self, sizes: ResNetSizes) -> None:
        super().__init__()
        middle, width = sizes.stem
        self.stem = nn.Sequential(
            *_in_space(3, middle, kernel=7, stride=2), *_in_time(middle, width, stride=1), nn.ReLU()
        )
        for number, stage in enumerate(_stages(sizes, R2Plus1dBlock), 1):
            self.add_module(f"layer{number}", stage)

    def forward(self, windows_B3THW: Tensor) -> Tensor:
        """Return [B, D]."""
        maps_BCTHW = self.stem(windows_B3THW)
        for number in range(1, 5):
            maps_BCTHW = self.get_submodule(f"layer{number}")(maps_BCTHW)
        return maps_BCTHW.mean((2, 3, 4))


class R2Plus1dBlock(nn.Module):
    """Two factorised convolutions around which the input is led."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        # As many parameters as two whole 3 x 3 x 3 convolutions would have.
        middle = (before * width * 27) // (before * 9 + 3 * width)
        self.conv1 = _factorised(before, middle, width, stride)
        self.conv1.append(nn.ReLU())
        self.conv2 = _factorised(width, middle, width, 1)
        self.downsample = None
        if stride != 1 or before != width:
            self.downsample = nn.Sequential(
                nn.Conv3d(before, width, 1, stride=stride, bias=False), nn.BatchNorm3d(width)
            )

    def forward(self, maps_BCTHW: Tensor) -> Tensor:
        """Return the maps behind the block."""
        around = maps_BCTHW if self.downsample is None else self.downsample(maps_BCTHW)
        return (self.conv2(self.conv1(maps_BCTHW)) + around).relu()


class AudioResNet(nn.Module):
    """From spectrograms [B, 1, H, W] to vectors [B, D]."""

    def __init__(self, sizes: ResNetSizes) -> None:
        super().__init__()
        (width,) = sizes.stem
        self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        for number, stage in enumerate(_stages(sizes, ResNetBlock), 1):
            self.add_module(f"layer{number}", stage)

    def forward(self, spectra_B1HW: Tensor) -> Tensor:
        """Return [B, D]."""
        maps_BCHW = self.pool(self.bn1(self.conv1(spectra_B1HW)).relu())
        for number in range(1, 5):
            maps_BCHW = self.get_submodule(f"layer{number}")(maps_BCHW)
        return maps_BCHW.mean((2, 3))


class ResNetBlock(nn.Module):
    """Two convolutions around which the input is led."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or before != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """Return the maps behind the block."""
        around = maps_BCHW if self.downsample is None else self.downsample(maps_BCHW)
        inner_BCHW = self.bn1(self.conv1(maps_BCHW)).relu()
        return (self.bn2(self.conv2(inner_BCHW)) + around).relu()


def _stages(sizes: ResNetSizes, block: Callable[[int, int, int], nn.Module]) -> list[nn.Sequential]:
    """Return the four stages; all but the first halve every side."""
    stages, before = [], sizes.stem[-1]
    for number, (width, depth) in enumerate(zip(sizes.widths, sizes.depths, strict=True)):
        first = block(before, width, 1 if number == 0 else 2)
        stages.append(nn.Sequential(first, *(block(width, width, 1) for _ in range(depth - 1))))
        before = width
    return stages


def _in_space(before: int, width: int, *, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv3d(
        before,
        width,
        (1, kernel, kernel),
        stride=(1, stride, stride),
        padding=(0, kernel // 2, kernel // 2),
        bias=False,
    )
    return [convolution, nn.BatchNorm3d(width), nn.ReLU()]


def _in_time(before: int, width: int, *, stride: int) -> list[nn.Module]:
    convolution = nn.Conv3d(
        before, width, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bias=False
    )
    return [convolution, nn.BatchNorm3d(width)]


def _factorised(before: int, middle: int, width: int, stride: int) -> nn.Sequential:
    """Return a convolution over space, one over time, and the norm behind it."""
    in_time, norm = _in_time(middle, width, stride=stride)
    in_space = _in_space(before, middle, kernel=3, stride=stride)
    return nn.Sequential(nn.Sequential(*in_space, in_time), norm)
