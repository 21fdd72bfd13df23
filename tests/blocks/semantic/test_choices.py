import subprocess
import sys

import pytest

from lgvsc_flow.blocks.semantic.choices import make_describer, make_judge, make_scorer
from lgvsc_flow.blocks.semantic.psss import Description, FunctionJudge
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer
from lgvsc_flow.errors import SettingError


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(SettingError, match=r"describer is 'embedded', internvl3-1b, .* or an object .*; got 'blip'"):
        make_describer("blip")
    with pytest.raises(SettingError, match=r"judge is 'embedded', 'minilm', 'same' .*, smollm2-135m, .*; got 'gpt'"):
        make_judge("gpt")


def test_a_text_model_describes_nothing_and_an_image_model_is_asked_by_same():
    with pytest.raises(SettingError, match="got 'smollm2-135m'"):
        make_describer("smollm2-135m")
    with pytest.raises(SettingError, match="got 'internvl3-1b'"):
        make_judge("internvl3-1b")


def test_objects_without_the_methods_are_refused():
    with pytest.raises(SettingError, match="describer needs the methods load and describe; got 7"):
        make_describer(7)
    with pytest.raises(SettingError, match=r"judge needs the methods load and judge, or is a function .*; got 7"):
        make_judge(7)


def test_a_function_becomes_a_judge():
    judge = make_judge(lambda a, b, focus: (0.2, 0.7))
    assert isinstance(judge, FunctionJudge)
    assert judge.judge(Description("a"), [Description("b")], "general")[1] == [0.7]


def test_named_models_take_device_and_dtype_and_load_nothing(tmp_path):
    describer = make_describer("internvl3-1b", device="cpu", dtype="float32")
    judge = make_judge("qwen2.5-0.5b", device="cpu", dtype="bfloat16")
    assert (describer.model, describer.device, describer.dtype) == ("internvl3-1b", "cpu", "float32")
    assert (judge.model, judge.device, judge.dtype) == ("qwen2.5-0.5b", "cpu", "bfloat16")
    assert make_describer(str(tmp_path)).model == str(tmp_path)
    assert make_judge("hub:someone/model@0123").model == "hub:someone/model@0123"
    assert make_judge("minilm").device == make_describer("embedded").device == "cpu"


def test_what_does_not_go_together_is_refused():
    needs = "needs a vision-language model: internvl3-1b"
    with pytest.raises(SettingError, match=f"describer is 'embedded', and judge='same' {needs}"):
        make_scorer("embedded", "same", "general")
    with pytest.raises(SettingError, match=f"describer is 'embedded', and strategy='joint' {needs}"):
        make_scorer("embedded", "embedded", "general", "joint")
    with pytest.raises(SettingError, match="judge is EmbeddingJudge, which compares image embeddings, but Vlm"):
        make_scorer("internvl3-1b", "embedded", "general")
    with pytest.raises(SettingError, match="focus is 'background', but MiniLmJudge answers only general"):
        make_scorer("internvl3-1b", "minilm", "background")


def test_the_model_that_describes_may_judge():
    from lgvsc_flow.blocks.semantic.joint import JointScorer

    per_frame = make_scorer("internvl3-1b", "same", "the weather")
    assert isinstance(per_frame, PerFrameScorer)
    assert per_frame.judge.model is per_frame.describer
    joint = make_scorer("internvl3-1b", "same", "background", "joint", skip_failed=True, remember=7)
    assert isinstance(joint, JointScorer)
    assert (joint.judge, joint.focus, joint.skip_failed, joint.remember) == (None, "background", True, 7)
    assert make_scorer("internvl3-1b", "smollm2-135m", "background", "joint").judge.model == "smollm2-135m"


def test_the_floor_of_an_answer_reaches_the_model():
    assert make_judge("qwen2.5-0.5b").floor == 0.5
    scorer = make_scorer("internvl3-1b", "qwen2.5-0.5b", "general", quantisation="int8", batch_size=3)
    for model in (scorer.describer, scorer.judge):
        assert (model.quantisation, model.batch_size) == ("int8", 3)
    assert make_judge("smollm2-135m").floor == 0.25
    assert make_judge("smollm2-135m", floor=0.6).floor == 0.6
    assert make_scorer("internvl3-1b", "same", "general", "joint", floor=0.3).floor == 0.3
    assert make_scorer("internvl3-1b", "same", "general", floor=0.3).judge.floor == 0.3
    assert make_scorer("internvl3-1b", "qwen2.5-0.5b", "general", floor=0.3).judge.floor == 0.3


def test_choosing_loads_no_heavy_module():
    code = "from lgvsc_flow.blocks.semantic import Skem; Skem(); import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
