"""Which decoder is chosen, what it says of itself, and where torchcodec finds FFmpeg."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from avzsl.decode import choice, ffmpeg_links
from avzsl.decode.choice import choose_decoder


def test_auto_on_the_cpu_is_pyav():
    chosen = choose_decoder("auto", "cpu")
    assert (chosen.name, chosen.device, chosen.library_path) == ("pyav", "cpu", "")
    assert re.fullmatch(
        r"decoder: pyav \(no CUDA device; its wheel carries FFmpeg \d+\.\d.*\)", str(chosen)
    )
    assert re.fullmatch(r"PyAV \d+\.\d.*, FFmpeg \d+\.\d.*", chosen.version)


def test_pyav_decodes_on_the_cpu_whatever_the_encoder_runs_on():
    assert choose_decoder("pyav", "cuda:0").device == "cpu"


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="got 'opencv'"):
        choose_decoder("opencv", "cpu")


@pytest.mark.parametrize("name", ["torchcodec", "decord"])
def test_a_named_decoder_that_is_not_there_says_what_to_install(name, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda package: None if package == name else real(package)
    )
    with pytest.raises(ValueError, match=rf"{name} does not work.*pip install 'avzsl\[{name}\]'"):
        choose_decoder(name, "cpu")
    if name == "torchcodec":
        chosen = choose_decoder("auto", "cuda")
        assert (chosen.name, chosen.device) == ("pyav", "cpu")
        assert "torchcodec: it is not installed" in chosen.reason


@pytest.mark.parametrize(
    ("answer", "name", "device", "reason"),
    [
        ("", "torchcodec", "cuda:1", "NVDEC"),
        ("Falling back due to: NVcuvid unavailable", "pyav", "cpu", "no NVDEC: Falling back"),
    ],
)
def test_auto_on_a_gpu_is_torchcodec_where_nvdec_works(monkeypatch, answer, name, device, reason):
    monkeypatch.setattr(choice, "_need", lambda package: None)
    monkeypatch.setattr(choice, "_run", lambda arguments, path: answer)
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "0.17.0")
    chosen = choose_decoder("auto", "cuda:1")
    assert (chosen.name, chosen.device) == (name, device)
    assert reason in str(chosen)


def test_auto_goes_on_where_torchcodec_does_not_load(monkeypatch):
    monkeypatch.setattr(choice, "_need", lambda package: None)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    chosen = choose_decoder("auto", "cuda")
    assert chosen.name == "pyav"
    assert "exit code 1" in chosen.reason
    with pytest.raises(ValueError, match="exit code 1"):
        choose_decoder("torchcodec", "cpu")


def test_choosing_imports_no_torch():
    program = (
        "import sys; from avzsl.decode.choice import choose_decoder; import avzsl.decode.ahead;"
        "import avzsl.decode.probe; choose_decoder('auto', 'cpu');"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A copy of the layout of PyAV's wheel, and a cache folder of its own."""
    libraries = tmp_path / "site" / "av.libs"
    libraries.mkdir(parents=True)
    for name in ("libavcodec-5e6b81c2.so.62.28.102", "libswscale-88e9f973.so.9.5.102"):
        (libraries / name).write_text(name)
    (libraries / "libx264-d6533a8d.so.165").touch()
    monkeypatch.setattr(ffmpeg_links.av, "__file__", str(tmp_path / "site" / "av" / "__init__.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/before")
    return libraries


def test_links_give_the_wheels_libraries_their_plain_names(wheel):
    links, libraries, *_, before = ffmpeg_links.library_path().split(os.pathsep)
    assert Path(libraries) == wheel
    assert before == "/before"
    names = {path.name: path.read_text() for path in Path(links).iterdir()}
    assert names == {
        "libavcodec.so.62": "libavcodec-5e6b81c2.so.62.28.102",
        "libswscale.so.9": "libswscale-88e9f973.so.9.5.102",
    }
    assert ffmpeg_links.library_path().split(os.pathsep)[0] == links, "made once"


def test_another_wheel_gets_links_of_its_own(wheel):
    first = ffmpeg_links.library_path()
    (wheel / "libavcodec-5e6b81c2.so.62.28.102").rename(wheel / "libavcodec-0badcafe.so.63.1.1")
    assert ffmpeg_links.library_path() != first


def test_without_a_wheel_the_system_provides_ffmpeg(wheel):
    for path in wheel.iterdir():
        path.unlink()
    assert ffmpeg_links.library_path() == ""


def test_a_cache_folder_that_cannot_be_made_is_explained(wheel, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="set XDG_CACHE_HOME"):
        ffmpeg_links.library_path()


def test_the_real_wheel_has_the_seven_libraries_that_torchcodec_loads(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = ffmpeg_links.library_path()
    if not path:
        pytest.skip("PyAV was not installed from a wheel")
    names = {link.name.split(".")[0] for link in Path(path.split(os.pathsep)[0]).iterdir()}
    needed = {"avcodec", "avdevice", "avfilter", "avformat", "avutil", "swresample", "swscale"}
    assert names == {f"lib{name}" for name in needed}
