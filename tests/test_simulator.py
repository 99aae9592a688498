"""The simulator itself: what it makes, that pieces do not depend on one another, and archives."""

from collections import Counter

import numpy as np
import pytest
from simulation import CLIPS, SIZES, benchmark, embeddings, simulated

from avzsl.datasets.archives import read_class_file
from avzsl.datasets.kinds.benchmark import STEMS
from avzsl.datasets.simulate import (
    SECONDS,
    SimulatedSizes,
    Simulator,
    class_embeddings,
    grouped,
    read_vectors,
    simulated_clips,
)
from avzsl.datasets.simulate_archive import write_archive
from avzsl.encoders.published import SUFFIX
from avzsl.sources.unpickle import read_published
from avzsl.types import SUBSETS

VECTORS = {
    f"class {i}": np.random.default_rng(i).standard_normal(20).astype(np.float32) for i in range(8)
}


def same(one, two):
    assert one.video_ids == two.video_ids
    for left, right in zip((*one.audio, *one.visual), (*two.audio, *two.visual), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_piece_depends_on_seed_class_and_subset_alone():
    ids = ["a", "b", "c"]
    simulator = Simulator(VECTORS, SIZES)
    first = simulator.clips("class 1", "train", ids)
    simulator.clips("class 2", "train", ids)
    same(simulator.clips("class 1", "train", ids), first)
    same(Simulator(dict(reversed(VECTORS.items())), SIZES).clips("class 1", "train", ids), first)
    for other in (
        Simulator(VECTORS, SIZES, seed=1).clips("class 1", "train", ids),
        simulator.clips("class 1", "test_seen", ids),
        simulator.clips("class 2", "train", ids),
    ):
        assert not np.array_equal(other.visual[0][0], first.visual[0][0])


def test_features_look_like_published_ones():
    clips = Simulator(VECTORS, SimulatedSizes()).clips(
        "class 0", "train", [str(i) for i in range(40)]
    )
    audio, visual = np.concatenate(clips.audio), np.concatenate(clips.visual)
    assert audio.shape[1:] == (128,)
    assert visual.shape[1:] == (4096,)
    assert audio.dtype == visual.dtype == np.float32
    assert audio.min() >= 0
    assert audio.max() <= 255
    assert (audio == np.rint(audio)).all()
    assert visual.min() == 0
    assert 0.3 < (visual == 0).mean() < 0.7
    assert {len(clip) for clip in clips.audio} == set(range(6, 11))
    assert {len(clip) for clip in clips.visual} == set(range(9, 17))


def test_classes_are_told_apart_by_their_own_vectors_only():
    """Clips lie nearer to their class than to others, as far as the noise lets them."""
    simulator = Simulator(VECTORS, SIZES)
    means = {}
    for name in VECTORS:
        clips = simulator.clips(name, "train", [str(i) for i in range(30)])
        means[name] = np.array([clip.mean(0) for clip in clips.visual])
    centres = np.array([value[:15].mean(0) for value in means.values()])
    rest = np.concatenate([value[15:] for value in means.values()])
    nearest = np.linalg.norm(rest[:, None] - centres, axis=2).argmin(1)
    right = (nearest == np.repeat(np.arange(8), 15)).mean()
    assert 0.8 < right < 1.0


@pytest.mark.parametrize("name", ["ucf", "vggsound"])
def test_a_feature_set_has_the_clips_of_the_real_split(shared, name):
    features, limit = simulated(shared, name), CLIPS[name]
    listed = Counter((line.class_name, line.subset) for line in benchmark(shared, name).lines())
    found = Counter(
        (features.class_names[label], SUBSETS[subset])
        for label, subset in zip(features.labels, features.subsets, strict=True)
    )
    assert found == {key: min(count, limit) for key, count in listed.items()}
    ids = {line.id: line for line in benchmark(shared, name).lines()}
    for row in range(0, len(features.labels), 97):
        line = ids[features.video_ids[row]]
        assert features.class_names[features.labels[row]] == line.class_name
        assert SUBSETS[features.subsets[row]] == line.subset
    _, mask, times = features.visual.pad(np.arange(4), features.visual.features_ND.device)
    steps = np.diff(times[mask].numpy())
    np.testing.assert_allclose(steps[steps > 0], SECONDS["visual"], rtol=1e-5)


def test_class_vectors_are_right_or_as_published(shared):
    dataset = benchmark(shared, "ucf")
    vectors = read_vectors(shared / "benchmark/w2v_features", dataset)
    published = read_published(shared / "benchmark/w2v_features/word_embeddings_ucf_normed.npy")
    np.testing.assert_array_equal(vectors["ApplyEyeMakeup"], published["Apply Eye Makeup"])
    names = sorted(vectors)
    right = class_embeddings(dataset, vectors, names).vectors
    np.testing.assert_array_equal(right, np.stack([vectors[name] for name in names]))
    legacy = class_embeddings(benchmark(shared, "ucf", "legacy"), vectors, names).vectors
    assert (legacy != right).any(axis=1).sum() == 79
    assert embeddings(shared, "ucf").vectors.shape == (51, 300)


@pytest.mark.parametrize("layout", ["avca", "tcaf"])
def test_an_archive_holds_what_was_simulated(shared, tmp_path, layout):
    dataset = benchmark(shared, "ucf")
    simulator = Simulator(read_vectors(shared / "benchmark/w2v_features", dataset), SIZES)

    def clips():
        return simulated_clips(simulator, dataset.lines(), 2)

    count = write_archive(tmp_path, clips(), layout)
    assert count == sum(map(len, grouped(dataset.lines(), 2).values()))
    stages = {subset: stem for stem, subset in STEMS.items()}
    files = 0
    for part in clips():
        for folder, own in (("audio", part.audio), ("video", part.visual)):
            path = tmp_path / folder / stages[part.subset] / f"{part.class_name}{SUFFIX[layout]}"
            found = read_class_file(path, layout)
            assert [name for name, _ in found] == list(part.video_ids)
            for (_, one), clip in zip(found, own, strict=True):
                wanted = clip if layout == "tcaf" else clip.mean(axis=0, keepdims=True)
                np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-6)
            files += 1
    assert files == len([path for path in tmp_path.rglob("*") if path.is_file()])


def test_a_missing_class_vector_is_named(shared, tmp_path):
    held = read_published(shared / "benchmark/w2v_features/word_embeddings_ucf_normed.npy")
    del held["Typing"]
    np.save(tmp_path / "word_embeddings_ucf_normed.npy", held)
    with pytest.raises(ValueError, match="no vector for 'Typing'"):
        read_vectors(tmp_path, benchmark(shared, "ucf"))
