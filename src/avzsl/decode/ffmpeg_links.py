"""FFmpeg for torchcodec without a system FFmpeg: links to the libraries in PyAV's wheel.

torchcodec loads ``libavcodec.so.62`` and its six companions by name. PyAV's wheel carries them as
``av.libs/libavcodec-5e6b81c2.so.62.28.102``. A folder of links with the plain names, and the
wheel's folder for what the libraries need in turn, on ``LD_LIBRARY_PATH`` make them meet. The
variable only counts when a process starts; the decoding workers are started with it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

import av

_WHEEL_NAME = re.compile(r"(lib(?:av\w+|sw\w+))-[0-9a-f]+\.(so\.\d+)(?:\.\d+)*")
_DRIVER_FOLDERS = ("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib")
"""Where containers find the driver's libraries, ``libnvcuvid.so.1`` (NVDEC) among them."""


def library_path() -> str:
    """Return the ``LD_LIBRARY_PATH`` to start a process with, making the links if need be.

    Empty where PyAV was not installed from a wheel; FFmpeg must come from the system then.

    Raises:
        OSError: If the links cannot be made in the user's cache folder.
    """
    wheel = Path(av.__file__).parent.parent / "av.libs"
    targets = {
        f"{match[1]}.{match[2]}": path
        for path in sorted(wheel.glob("lib*.so.*"))
        if (match := _WHEEL_NAME.fullmatch(path.name))
    }
    if not targets:
        return ""
    folders = [str(_links(targets)), str(wheel)]
    folders += [name for name in _DRIVER_FOLDERS if Path(name, "libnvcuvid.so.1").exists()]
    before = os.environ.get("LD_LIBRARY_PATH")
    return os.pathsep.join([*folders, *([before] if before else [])])


def _links(targets: dict[str, Path]) -> Path:
    """Return the folder with a link for each name, making it if there is none yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "avzsl"
    key = hashlib.sha256("\n".join(map(str, targets.values())).encode()).hexdigest()[:12]
    folder = cache / f"ffmpeg-av{av.__version__}-{key}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Made aside and renamed, since several jobs may start at once.
        with tempfile.TemporaryDirectory(dir=cache) as aside:
            made = Path(aside, "links")
            made.mkdir()
            for name, target in targets.items():
                (made / name).symlink_to(target)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    except OSError as error:
        raise OSError(
            f"cannot make links to FFmpeg's libraries in {cache}: {error.strerror}; "
            f"set XDG_CACHE_HOME to a folder that can be written, or use decoder: pyav."
        ) from error
    return folder
