import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL")

from lgvsc_flow.blocks.semantic.chat import IMAGE  # noqa: E402
from lgvsc_flow.blocks.semantic.vision_language import load_image_processor, merge_images, split_images  # noqa: E402
from lgvsc_flow.blocks.semantic.vlm import VlmDescriber  # noqa: E402
from lgvsc_flow.errors import MissingExtraError, ModelError  # noqa: E402

FAMILIES = ["internvl", "qwen3_vl", "qwen2_5_vl", "smolvlm", "idefics3"]
CLASSES = ["InternVLProcessor", "Qwen3VLProcessor", "Qwen2_5_VLProcessor", "SmolVLMProcessor", "Idefics3Processor"]


def picture(seed: int, height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("family", "name"), [*zip(FAMILIES, CLASSES, strict=True)])
def test_the_real_processor_is_put_together_without_torchvision(vlm_folder, family, name):
    processor = load_image_processor(vlm_folder(family), family)
    assert isinstance(processor, getattr(transformers, name))
    assert type(processor.image_processor).__name__.endswith("Pil")
    assert getattr(processor, "video_processor", None) is None
    assert "torchvision" not in sys.modules


@pytest.mark.parametrize("family", FAMILIES)
def test_one_tile_by_default_and_more_when_asked(vlm_folder, family):
    tokens = []
    for tiles in (1, 4):
        eyes = VlmDescriber(vlm_folder(family), tiles=tiles).eyes()
        encoded = eyes.encode(eyes.chat.render([("user", [IMAGE, "a"])]), [picture(0, 448, 800)])
        tokens.append(encoded.ids.count(eyes._image_token))
    one = {"internvl": 4, "smolvlm": 4, "idefics3": 4, "qwen3_vl": 10 * 18, "qwen2_5_vl": 11 * 21}[family]
    assert tokens[0] == one
    assert one < tokens[1] <= 5 * one  # four tiles, and the whole picture where the model wants it, too


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_split_and_merge(vlm_folder, family):
    eyes = VlmDescriber(vlm_folder(family)).eyes()
    text = eyes.chat.render([("user", [IMAGE, "and", IMAGE])])
    alone = [eyes.encode(eyes.chat.render([("user", [IMAGE])]), [picture(n)]).images for n in (1, 2)]
    first, second = split_images(eyes.encode(text, [picture(1), picture(2)]).images)
    for part, one in ((first, alone[0]), (second, alone[1])):
        assert part.keys() == one.keys()
        assert all(torch.equal(part[k], one[k]) for k in part)
    both = merge_images(alone)
    assert all(len(both[k]) == 2 * len(alone[0][k]) for k in both)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_picture_ends_with_its_last_token(vlm_folder, family):
    eyes = VlmDescriber(vlm_folder(family)).eyes()
    encoded = eyes.encode(eyes.chat.render([("user", [IMAGE, "and", IMAGE])]), [picture(1), picture(2)])
    end = eyes.end_of_first_picture(encoded)
    token = eyes._image_token
    assert encoded.ids[end - 1] == token
    assert encoded.ids[end] != token
    assert encoded.ids[:end].count(token) == encoded.ids[end:].count(token) > 0


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(vlm_folder, bad):
    eyes = VlmDescriber(vlm_folder("internvl")).eyes()
    with pytest.raises(ModelError, match=r"takes pictures uint8 \[height, width, 3\], got"):
        eyes.encode(eyes.chat.render([("user", [IMAGE])]), [bad])


def test_a_text_model_is_no_vision_language_model(tiny, tmp_path):
    with pytest.raises(ModelError, match=r"llama, for which transformers has no processor of pictures"):
        VlmDescriber(tiny.tiny_llm(tmp_path)).load()


def test_a_checkpoint_without_a_chat_template_is_refused(tiny, tmp_path):
    folder = tiny.tiny_vlm("internvl", tmp_path)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"has no chat template, .* use an instruction-tuned checkpoint"):
        VlmDescriber(folder).load()


def test_a_model_with_other_inputs_is_refused(vlm_folder, monkeypatch):
    eyes = VlmDescriber(vlm_folder("internvl")).eyes()
    eyes._inputs.add("image_sizes")
    processor = eyes.processor
    monkeypatch.setattr(eyes, "processor", lambda **asked: {**processor(**asked), "image_sizes": [1]})
    with pytest.raises(
        ModelError, match=r"takes image_sizes, which are not passed on here; use a model of the families"
    ):
        eyes.encode(eyes.chat.render([("user", [IMAGE])]), [picture(0)])


def test_smolvlm_names_the_package_it_needs(vlm_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(MissingExtraError, match=r"num2words: pip install 'lgvsc-flow\[vlm\]'"):
        load_image_processor(vlm_folder("smolvlm"), "smolvlm2-500m")
