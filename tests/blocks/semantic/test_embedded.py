import math

import numpy as np
import pytest

from lgvsc_flow import models
from lgvsc_flow.blocks.semantic.embedded import (
    EmbeddedDescriber,
    EmbeddingJudge,
    cosines,
    imagenet_labels,
    network_size,
)
from lgvsc_flow.blocks.semantic.psss import Description, s_rel
from lgvsc_flow.errors import MissingExtraError, ModelError, SettingError


def at_cosine(cosine):
    """Two descriptions whose embeddings have this cosine."""
    a = np.array([1.0, 0.0], dtype=np.float32)
    return Description("", a), Description("", np.array([cosine, math.sqrt(1 - cosine**2)], dtype=np.float32))


def rel(cosine):
    keyframe, candidate = at_cosine(cosine)
    return float(s_rel(*EmbeddingJudge().judge(keyframe, [candidate], "general"))[0])


def test_the_papers_threshold_is_a_cosine_of_0_70():
    assert rel(0.695) > 0.35 > rel(0.705)
    assert rel(1.0) < -0.9
    assert rel(0.3) > 0.9


def test_answers_are_probabilities_and_fall_with_the_cosine():
    keyframe, _ = at_cosine(1.0)
    candidates = [at_cosine(c)[1] for c in np.linspace(0, 1, 50)]
    p_yes, p_no = EmbeddingJudge().judge(keyframe, candidates, "general")
    np.testing.assert_allclose(p_yes + p_no, 1)
    assert np.all(np.diff(p_yes) > 0)


def test_cosines_of_zero_vectors_are_defined():
    zero, one = np.zeros(4, dtype=np.float32), np.ones(4, dtype=np.float32)
    np.testing.assert_array_equal(cosines(zero, [zero, one]), [1.0, 0.0])
    assert cosines(one, []).shape == (0,)


def test_a_focus_needs_a_language_model():
    with pytest.raises(SettingError, match=r"knows only focus='general', got 'background'; a focus needs a judge"):
        EmbeddingJudge().judge(*[at_cosine(1)[0]], [], "background")


def test_texts_alone_are_not_enough():
    with pytest.raises(ModelError, match="needs descriptions with embeddings"):
        EmbeddingJudge().judge(Description("a cat"), [Description("a dog")], "general")


@pytest.mark.parametrize("constants", [{"width": 0}, {"width": math.nan}, {"centre": 2}])
def test_constants_out_of_range_are_refused(constants):
    with pytest.raises(SettingError, match="EmbeddingJudge takes -1 <= centre <= 1 and width > 0"):
        EmbeddingJudge(**constants)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((224, 224), (224, 224)), ((640, 272), (352, 160)), ((1280, 720), (288, 160)), ((4, 4000), (32, 448))],
)
def test_pictures_keep_their_aspect_ratio(size, expected):
    assert network_size(*size) == expected


def test_there_are_1000_labels_of_plain_words():
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert (labels[0], labels[468], labels[919]) == ("tench", "taxicab", "street sign")
    assert max(map(len, labels)) <= 30


def test_a_missing_package_says_what_to_install(monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("cv2")
    monkeypatch.setattr(models, "_package_file", lambda distribution, path: None)
    monkeypatch.setattr(models, "_is_installed", lambda distribution: False)
    with pytest.raises(ModelError, match=r"efficientnet-lite0 .* is missing: .* pip install 'lgvsc-flow\[models\]'"):
        EmbeddedDescriber().load()


def test_a_missing_torch_names_the_extra(monkeypatch):
    def without_torch(module, what, extra, package):
        raise MissingExtraError(what, extra, package)

    monkeypatch.setattr("lgvsc_flow.blocks.semantic.embedded.import_extra", without_torch)
    with pytest.raises(MissingExtraError, match=r"EmbeddedDescriber needs torch: pip install 'lgvsc-flow\[models\]'"):
        EmbeddedDescriber().load()


@pytest.fixture(scope="module")
def describer():
    pytest.importorskip("torch")
    pytest.importorskip("cv2")
    made = EmbeddedDescriber(batch_size=4)
    try:
        made.load()
    except ModelError as error:
        pytest.skip(str(error))
    return made


def test_descriptions_are_short_texts_with_embeddings(describer, clip_frames):
    frames = [f.pixels for f in clip_frames("bikes")[60:65]]
    found = describer.describe(frames)
    assert len(found) == 5
    assert all(0 < len(d.text) <= 80 for d in found)
    assert all(d.embedding.shape == (1280,) and d.embedding.dtype == np.float32 for d in found)
    assert "taxicab" in found[2].text  # a yellow cab fills the picture


def test_a_batch_gives_what_single_frames_give(describer, clip_frames):
    frames = [f.pixels for f in clip_frames("bikes")[28:33]]
    together = describer.describe(frames)
    alone = [describer.describe([f])[0] for f in frames]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.embedding, b.embedding, rtol=1e-3, atol=1e-5)


def test_black_frames_have_a_description(describer):
    (found,) = describer.describe([np.zeros((48, 64, 3), dtype=np.uint8)])
    assert "black" in found.text
    assert np.all(np.isfinite(found.embedding))
