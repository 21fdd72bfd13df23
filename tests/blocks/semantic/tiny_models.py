"""Vision-language and causal language models of the real classes, tiny and random, built in code.

Every family is written as a checkpoint folder with the file names and processor classes that its real checkpoints
have, so that loading takes the same way. Nothing is fetched. The weights are random: what these models say is a test
of the path, never of meaning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

FAMILIES = ("internvl", "qwen3_vl", "qwen2_5_vl", "smolvlm", "idefics3")

_WORDS = (
    "yes no Yes No YES NO ‘yes’ ‘no’ a red square on grey background the image shows first second description focus "
    "only Image 1: Image 2: of images. Description 1: Description 2: \n"
)
_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}{{ 'IMAGE' }}{% else %}{{ c['text'] }}"
    "{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}THINK{% endif %}"
)
_THINK = "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
_SMOLVLM = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}"
    "{{ ':' }}{% else %}{{ ': ' }}{% endif %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}"
    "{% elif c['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
_CHAT = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_SPECIAL = {
    "llama": [*_CHAT],
    "internvl": [*_CHAT, "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
    "qwen": [*_CHAT, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"],
    "smolvlm": [*_CHAT, "<end_of_utterance>", "<image>", "<video>"]
    + ["<fake_token_around_image>", "<global-img>"]
    + [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)],
}
_NAMED = {
    "internvl": {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    },
    "smolvlm": {
        "fake_image_token": "<fake_token_around_image>",
        "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>",
        "global_image_token": "<global-img>",
    },
}


def chatml(image: str = "", thinks: bool = False) -> str:
    """A chat template as most models have it, `image` in the place of a picture."""
    return _CHATML.replace("IMAGE", image).replace("THINK", _THINK if thinks else "")


def byte_tokenizer(special: tuple[str, ...], words: str = _WORDS) -> Tokenizer:
    """A byte-level BPE tokenizer; the words of `words` become single tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(special),
        show_progress=False,
    )
    bpe.train_from_iterator([words] * 4, trainer)
    return bpe


def tiny_tokenizer(family: str, chat_template: str | None, words: str = _WORDS) -> PreTrainedTokenizerFast:
    """The family's tokenizer class with its special tokens, right-padding by default as checkpoints have it."""
    special = _SPECIAL["qwen" if family.startswith("qwen") else "smolvlm" if family == "idefics3" else family]
    return PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(tuple(special), words),
        eos_token="<end_of_utterance>" if "<end_of_utterance>" in special else "<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=chat_template,
        extra_special_tokens=_NAMED.get(family, {}),
    )


def tiny_llm(
    folder: Path, *, chat: bool = True, thinks: bool = False, sharp: bool = True, words: str = _WORDS, seed: int = 0
) -> Path:
    """A Llama-class causal language model with its tokenizer.

    Args:
        folder: where to.
        chat: give it a chat template.
        thinks: with the switch `enable_thinking`, as Qwen3 has it.
        sharp: let it answer yes or no to everything; else it answers anything.
        words: what the tokenizer has tokens of.
        seed: of the weights.
    """
    tokenizer = tiny_tokenizer("llama", chatml(thinks=thinks) if chat else None, words)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer) + 5,  # checkpoints pad the vocabulary beyond the tokenizer's
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = _loud(LlamaForCausalLM(config))
    if sharp:
        sharpen(model, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_vlm(family: str, folder: Path, *, sharp: bool = False, seed: int = 0) -> Path:
    """A vision-language model of one of `FAMILIES` with its tokenizer and processor files."""
    build = {"internvl": _internvl, "smolvlm": _smolvlm, "idefics3": _smolvlm}.get(family, _qwen)
    torch.manual_seed(seed)
    model, tokenizer, files = build(family)
    _loud(model)
    if sharp:
        sharpen(model, tokenizer)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def sharpen(model: Any, tokenizer: Any) -> None:
    """Opposite, large output rows for yes and no, so that nearly all mass is on one of the two."""
    ids = {t: tokenizer.encode(t, add_special_tokens=False) for t in ("yes", "no")}
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        direction = torch.randn(head.shape[1], generator=torch.Generator().manual_seed(5))
        for text, sign in (("yes", 1.0), ("no", -1.0)):
            (token,) = ids[text]
            head[token] = sign * direction * 6


def _loud(model: Any) -> Any:
    """Larger weights than at initialisation, so that what the model reads changes what it says."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2 and "position" not in name:
                parameter.mul_(6)
        if not model.config.get_text_config().tie_word_embeddings:
            model.get_output_embeddings().weight.mul_(2)
    return model.eval()


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": False,
        **more,
    }


def _internvl(family: str) -> tuple[Any, Any, dict[str, Any]]:
    tokenizer = tiny_tokenizer(family, chatml("<IMG_CONTEXT>\\n"))
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = InternVLConfig(
        vision_config={**vision, "image_size": [56, 56], "patch_size": [14, 14]},
        text_config={"model_type": "qwen2", **_text(tokenizer)},
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    images = {"image_processor_type": "GotOcr2ImageProcessorFast", "size": {"height": 56, "width": 56}}
    images |= {"crop_to_patches": False, "max_patches": 12, "processor_class": "InternVLProcessor"}
    processor = {"image_seq_length": 4, "processor_class": "InternVLProcessor"}
    video = {"video_processor_type": "InternVLVideoProcessor", "size": {"height": 56, "width": 56}}
    files = {"preprocessor_config.json": images, "processor_config.json": processor}
    return InternVLForConditionalGeneration(config), tokenizer, files | {"video_preprocessor_config.json": video}


def _smolvlm(family: str) -> tuple[Any, Any, dict[str, Any]]:
    tokenizer = tiny_tokenizer(family, _SMOLVLM)
    second = family == "smolvlm"  # the first generation has the classes of Idefics3
    config = (SmolVLMConfig if second else Idefics3Config)(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 48,
            "image_size": 56,
            "patch_size": 14,
        },
        text_config={"model_type": "llama", **_text(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        tie_word_embeddings=False,
    )
    name = "SmolVLM" if second else "Idefics3"
    images = {"image_processor_type": f"{name}ImageProcessor", "size": {"longest_edge": 112}}
    images |= {"max_image_size": {"longest_edge": 56}, "do_image_splitting": True}
    images["processor_class"] = f"{name}Processor"
    processor = {"image_seq_len": 4, "processor_class": f"{name}Processor"}
    files = {"preprocessor_config.json": images, "processor_config.json": processor}
    model = (SmolVLMForConditionalGeneration if second else Idefics3ForConditionalGeneration)(config)
    return model, tokenizer, files


def _qwen(family: str) -> tuple[Any, Any, dict[str, Any]]:
    tokenizer = tiny_tokenizer(
        family, chatml("<|vision_start|><|image_pad|><|vision_end|>", thinks=family == "qwen3_vl")
    )
    tokens = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>")
        for name, token in (
            ("image", "image_pad"),
            ("video", "video_pad"),
            ("vision_start", "vision_start"),
            ("vision_end", "vision_end"),
        )
    }
    sections = [1, 1, 2]  # of the 4 rotary frequencies of a head of 8
    patch = 16 if family == "qwen3_vl" else 14
    vision = {"depth": 2, "hidden_size": 32, "num_heads": 4, "intermediate_size": 48, "out_hidden_size": 32}
    vision |= {"patch_size": patch, "spatial_merge_size": 2, "temporal_patch_size": 2}
    images: dict[str, Any] = {"image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": patch}
    images |= {"merge_size": 2, "temporal_patch_size": 2}
    if family == "qwen3_vl":
        text = _text(tokenizer, head_dim=8, rope_parameters={"rope_type": "default", "rope_theta": 1e4})
        text["rope_parameters"] |= {"mrope_section": sections, "mrope_interleaved": True}
        vision |= {"num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1]}
        images |= {"size": {"shortest_edge": 1024, "longest_edge": 1 << 20}, "processor_class": "Qwen3VLProcessor"}
        config: Any = Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **tokens)
        model: Any = Qwen3VLForConditionalGeneration(config)
    else:
        text = _text(tokenizer, rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": sections})
        vision |= {"window_size": 56, "fullatt_block_indexes": [1]}
        images |= {"min_pixels": 784, "max_pixels": 1 << 20, "processor_class": "Qwen2_5_VLProcessor"}
        config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **tokens)
        model = Qwen2_5_VLForConditionalGeneration(config)
    return model, tokenizer, {"preprocessor_config.json": images}
