"""The three pipeline classes in miniature: real classes, random weights, built in code. Nothing is fetched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    LTXConditionPipeline,
    LTXVideoTransformer3DModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

TEXT_WIDTH = 16


def tokenizer() -> PreTrainedTokenizerFast:
    """A token for each byte, and the three that T5 has: pad, end, unknown."""
    special = ["<pad>", "</s>", "<unk>"]
    vocabulary = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({t: i for i, t in enumerate(vocabulary)}, [], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _text_config(kind: type[T5Config] | type[UMT5Config]) -> T5Config | UMT5Config:
    return kind(vocab_size=259, d_model=TEXT_WIDTH, d_kv=8, d_ff=16, num_layers=1, num_heads=2)


def ltx() -> LTXConditionPipeline:
    """LTX at 32x32x8 pixels a latent, with the decoder that takes a timestep, as from version 0.9.1 on."""
    torch.manual_seed(0)
    vae = AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True, False),
        decoder_spatio_temporal_scaling=(True, True, True),
        decoder_inject_noise=(False, False, False, False),
        upsample_residual=(True, True, True),
        upsample_factor=(2, 2, 2),
        timestep_conditioning=True,
        encoder_causal=True,
        decoder_causal=False,
    )
    transformer = LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=TEXT_WIDTH,
    )
    return LTXConditionPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=T5EncoderModel(_text_config(T5Config)),
        tokenizer=tokenizer(),
        transformer=_loud(transformer),
    )


def _loud(model: torch.nn.Module) -> Any:
    """Larger weights: with those at initialisation, what a model is told hardly shows in what it makes."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter *= 4
    return model


def _wan_vae() -> AutoencoderKLWan:
    return _loud(AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1))


def _wan_scheduler() -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
    )


def vace() -> WanVACEPipeline:
    torch.manual_seed(0)
    transformer = WanVACETransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=TEXT_WIDTH,
        freq_dim=16,
        ffn_dim=16,
        num_layers=2,
        vace_layers=[0],
        vace_in_channels=96,
    )
    return WanVACEPipeline(
        tokenizer=tokenizer(),
        text_encoder=UMT5EncoderModel(_text_config(UMT5Config)),
        vae=_wan_vae(),
        scheduler=_wan_scheduler(),
        transformer=_loud(transformer),
    )


def wan(both: bool = True, image_encoder: bool = True) -> WanImageToVideoPipeline:
    """Image to video: trained with both pictures (FLF2V) or with the first alone (I2V), with or without CLIP."""
    torch.manual_seed(0)
    clip = CLIPVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8
    )
    transformer = WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=36,
        text_dim=TEXT_WIDTH,
        freq_dim=16,
        ffn_dim=16,
        num_layers=1,
        image_dim=8 if image_encoder else None,
        added_kv_proj_dim=24 if image_encoder else None,
        pos_embed_seq_len=10 if image_encoder and both else None,
    )
    return WanImageToVideoPipeline(
        tokenizer=tokenizer(),
        text_encoder=UMT5EncoderModel(_text_config(UMT5Config)),
        vae=_wan_vae(),
        scheduler=_wan_scheduler(),
        transformer=_loud(transformer),
        image_encoder=CLIPVisionModel(clip) if image_encoder else None,
        image_processor=CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16) if image_encoder else None,
    )


PIPELINES = {"ltx": ltx, "wan-vace": vace, "wan-flf": wan}


def save(name: str, folder: Path) -> Path:
    """One of the pipelines in a folder of its own, as save_pretrained writes it."""
    PIPELINES[name]().save_pretrained(folder / name)
    return folder / name


ENVIRONMENT = {"ltx": "LGVSC_FLOW_LTX", "wan-vace": "LGVSC_FLOW_WAN_VACE", "wan-flf": "LGVSC_FLOW_WAN_FLF"}
"""Variables that name a real checkpoint to run the same tests on."""


def checkpoint(name: str, folder: Path) -> str:
    """What to load: the real checkpoint that the environment names, or a tiny one."""
    return os.environ.get(ENVIRONMENT[name]) or str(save(name, folder))


def settings(name: str, place: str) -> dict[str, Any]:
    """Settings of a cheap world model: two steps, no guidance, the smallest pictures where the weights are random."""
    step = 32 if name == "ltx" else 16
    real = place == os.environ.get(ENVIRONMENT[name])
    return {"checkpoint": place, "steps": 2, "guidance": 1, "resolution": 256 * 256 if real else step * step}
