import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.psss import (
    FOCI,
    Description,
    FunctionJudge,
    PromptJudge,
    focus_text,
    question,
    s_abs,
    s_rel,
)
from lgvsc_flow.errors import ModelError


class EchoModel:
    """Answers by the length of the prompt, and keeps what it was asked."""

    def __init__(self):
        self.prompts = []

    def load(self):
        pass

    def ask(self, prompts):
        self.prompts += prompts
        return np.full(len(prompts), 0.2), np.full(len(prompts), 0.7)


def test_scores_follow_equations_1_and_2():
    p_yes, p_no = np.array([0.9, 0.2, 0.1]), np.array([0.05, 0.2, 0.85])
    np.testing.assert_array_equal(s_abs(p_yes), p_yes)
    np.testing.assert_allclose(s_rel(p_yes, p_no), [-0.85, 0.0, 0.75])


@pytest.mark.parametrize(("yes", "no"), [(0.8, 0.3), (-0.1, 0.5), (np.nan, 0.5), (0.5, np.inf)])
def test_values_that_are_no_probabilities_are_refused(yes, no):
    with pytest.raises(ValueError, match=r"p_yes and p_no must be probabilities with p_yes \+ p_no <= 1; got"):
        s_rel(np.array([yes]), np.array([no]))


def test_rounding_of_a_float32_softmax_is_no_error():
    assert s_rel(np.array([1 - 1e-7]), np.array([2e-7])).shape == (1,)


def test_foci_are_the_three_of_the_paper():
    assert set(FOCI) == {"general", "main_object", "background"}
    assert all(text.startswith("Compare the two descriptions of the images you have given.") for text in FOCI.values())
    assert "Determine if these aspects depict the exact same scene." in FOCI["general"]
    assert "Ignore any differences in the background or environment." in FOCI["main_object"]
    assert "Ignore any people, objects, or their actions in the foreground." in FOCI["background"]


def test_own_foci_are_asked_for_yes_or_no():
    own = "Are the hands alike? Answer with yes or no."
    assert focus_text(own) == own
    assert focus_text("Look at the hands only.") == "Look at the hands only. Use yes or no to answer."
    assert focus_text("the weather") == (
        "Compare the two descriptions. Determine whether they are similar from the perspective of the weather, "
        "use yes or no to answer."
    )


def test_prompts_of_one_keyframe_share_their_beginning():
    a, b = question("a cat", "a dog", "general"), question("a cat", "a house", "general")
    assert a.split("Description 2")[0] == b.split("Description 2")[0]


def test_prompt_judge_asks_about_every_candidate():
    model = EchoModel()
    judge = PromptJudge(model)
    p_yes, p_no = judge.judge(Description("a cat"), [Description("a dog"), Description("a cow")], "background")
    np.testing.assert_allclose(s_rel(p_yes, p_no), [0.5, 0.5])
    assert model.prompts == [question("a cat", "a dog", "background"), question("a cat", "a cow", "background")]


def test_a_function_is_a_judge():
    judge = FunctionJudge(lambda a, b, focus: (0.9, 0.05) if a == b else (0.1, len(focus) / 100))
    p_yes, p_no = judge.judge(Description("a cat"), [Description("a cat"), Description("a dog")], "general")
    np.testing.assert_allclose(p_yes, [0.9, 0.1])
    np.testing.assert_allclose(p_no, [0.05, 0.07])
    assert [len(p) for p in judge.judge(Description("a"), [], "general")] == [0, 0]


@pytest.mark.parametrize("answer", [0.5, (0.5,), ("yes", "no"), None])
def test_a_function_that_returns_something_else_is_named(answer):
    def mine(a, b, focus):
        return answer

    with pytest.raises(ModelError, match=r"the judge mine must return two numbers \(p_yes, p_no\); got"):
        FunctionJudge(mine).judge(Description("a"), [Description("b")], "general")
