"""What the adapters over diffusers share: settings, loading once, sizes, seeds, and what comes back, checked."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lgvsc_flow.blocks.world.diffusion_loading import Loading, check_checkpoint, load_pipeline, quiet, told_memory
from lgvsc_flow.blocks.world.frame_size import generation_size, parse_resolution, resized
from lgvsc_flow.blocks.world.model import LengthGrid, WorldModel
from lgvsc_flow.blocks.world.prompts import STYLES, fitted_prompt, motion_words
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Caption, SideInfo
from lgvsc_flow.models import import_extra
from lgvsc_flow.pretrained import DTYPES

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["OFFLOADS", "DiffusionModel", "Request"]

OFFLOADS = ("none", "model", "sequential")


@dataclass(frozen=True, eq=False)
class Request:
    """One call of a pipeline. `first` lies at frame 0, `last` at frame `total - 1`; both are of the size asked for.

    Attributes:
        first, last: PIL pictures, or None.
        total: frames to make, the one at `last` among them.
        height, width: the size to generate at.
    """

    first: Any
    last: Any
    prompt: str
    side: SideInfo
    total: int
    height: int
    width: int
    generator: Generator


@dataclass(kw_only=True, eq=False)
class DiffusionModel(WorldModel):
    """A pretrained video diffusion pipeline as a world model.

    Frame 0 is the received keyframe itself: the receiver has it, and a pipeline gives back what its autoencoder makes
    of it. The other frames are the pipeline's, resized to the video's size.

    `counts` tells how often a prompt was too long and lost words.

    Args:
        checkpoint: a name in the catalogue, a folder, or hub:owner/name@commit.
        models_folder: folder of models; the environment variable LGVSC_FLOW_MODELS where None.
        steps: denoising steps.
        guidance: classifier-free guidance; 1 for none, which halves the time.
        negative_prompt: what guidance leads away from.
        prompt: `motion` says the caption and the motion in words, `caption` the caption alone.
        resolution: pixels in all to generate with, the video's aspect kept, or height and width ("480x832").
        lengths: the segment lengths that are made, so that a compiled model is compiled for those only; all multiples
            of the model's step where empty.
        max_frames: longest segment that is made at once.
        fps: frames per second of the video.
        device: a torch device; auto takes a CUDA GPU where there is one.
        dtype: float32, bfloat16 or float16; auto takes bfloat16 on CUDA, float32 elsewhere.
        offload: `model` keeps only the component at work on the GPU, `sequential` only the layer; both need a GPU.
        vae_tiling: decode in tiles, for less memory at large sizes.
        compile: torch.compile the transformer; each length and size is compiled at its first use.

    Raises:
        SettingError: a setting is out of its range.
    """

    pipeline: ClassVar[str]
    """The pipeline's class in diffusers."""
    accepts: ClassVar[tuple[str, ...]]
    """Classes that a checkpoint's model_index.json may name: those with the same components."""
    needs: ClassVar[tuple[str, ...]] = ("diffusers", "transformers", "accelerate", "sentencepiece", "google.protobuf")
    time_step: ClassVar[int]
    space_step: ClassVar[int]
    max_tokens: ClassVar[int]
    float32_parts: ClassVar[tuple[str, ...]] = ()
    """Components that stay in float32, whatever the dtype."""

    checkpoint: str = ""
    models_folder: str | None = None
    steps: int = 30
    guidance: float = 5.0
    negative_prompt: str = ""
    prompt: str = "motion"
    resolution: int | str | Sequence[int] = 480 * 832
    lengths: Sequence[int] = ()
    max_frames: int = 80
    fps: float = 25.0
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "none"
    vae_tiling: bool = False
    compile: bool = False

    counts: Counter[str] = field(init=False, repr=False)
    _pipe: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self._refuse("checkpoint", isinstance(self.checkpoint, str), "a name, a path or hub:owner/name@commit")
        self._refuse("steps", type(self.steps) is int and 1 <= self.steps <= 1000, "1 to 1000")
        self._refuse("guidance", _number(self.guidance) and 1 <= self.guidance <= 100, "1 (none) to 100")
        self._refuse("fps", _number(self.fps) and 0 < self.fps <= 1000, "above 0, at most 1000 frames per second")
        self._refuse("prompt", self.prompt in STYLES, f"one of {', '.join(STYLES)}")
        self._refuse("offload", self.offload in OFFLOADS, f"one of {', '.join(OFFLOADS)}")
        self._refuse("dtype", self.dtype in ("auto", *DTYPES), f"one of auto, {', '.join(DTYPES)}")
        step = self.time_step
        lengths = self.lengths
        whole = isinstance(lengths, list | tuple) and all(type(n) is int for n in lengths)
        self._refuse("lengths", whole, f"a list of multiples of {step}")
        off = [n for n in lengths if n < step or n % step]
        self._refuse("lengths", not off, f"multiples of {step} (the pipeline makes {step}k + 1 frames)")
        most = self.max_frames
        self._refuse("max_frames", type(most) is int and step <= most <= 10_000, f"{step} to 10000")
        self._resolution = parse_resolution(self.resolution, self.space_step)
        self.length_grid = LengthGrid(step, tuple(sorted(set(lengths))))
        self.max_frames = max(lengths) if lengths else self.length_grid.at_most(most)
        self.counts = Counter({"shortened prompts": 0})

    def check(self) -> None:
        check_checkpoint(self._loading())

    def load(self) -> None:
        if self._pipe is not None:
            return
        pipe = load_pipeline(self._loading())
        self._fit(pipe)
        tokens = len(pipe.tokenizer(self.negative_prompt).input_ids)
        if tokens > self.max_tokens:
            raise ModelError(
                f"{self.name}: negative_prompt has {tokens} tokens, its text encoder reads {self.max_tokens}; shorten "
                "it"
            )
        if self.vae_tiling:
            pipe.vae.enable_tiling()
        if self.compile:
            for part in _transformers(pipe):
                part.compile()
        self._pipe = pipe

    def generate(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """See `WorldModel.generate`. Nothing is generated before the second frame is asked for, where `first` is given.

        Raises:
            ModelError: out of memory, or the pipeline made numbers that are none.
            ValueError: a length off the grid, keyframes of two sizes, or none where the model needs one.
        """
        if num_frames > self.max_frames or num_frames != self.length_grid.at_least(num_frames):
            raise ValueError(
                f"{self.name} makes {self.length_grid}, at most {self.max_frames}; {num_frames} were asked for"
            )
        if first is None and last is None and not self.from_text:
            raise ValueError(f"{self.name} needs a keyframe; both are missing")
        if first is not None and last is not None and first.shape != last.shape:
            raise ValueError(f"keyframes of one segment have one size, got {first.shape[:2]} and {last.shape[:2]}")
        known = first if first is not None else last
        size = self.video_size if known is None else known.shape[:2]
        if size is None:
            raise ValueError(f"{self.name} takes the video's size from a keyframe or from video_size; both are missing")
        self.load()
        seed = int(rng.integers(2**63))
        return self._frames(first, last, caption, side, num_frames, seed, (int(size[0]), int(size[1])))

    def _frames(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        seed: int,
        size: tuple[int, int],
    ) -> Iterator[np.ndarray]:
        if first is not None:
            yield first.copy()
            if num_frames == 1:
                return
        import torch

        height, width = generation_size(*size, self._resolution, self.space_step)
        motion = motion_words(side, size[0], self.fps) if self.prompt == "motion" else ""
        text, shortened = fitted_prompt(caption.text, motion, self._pipe.tokenizer, self.max_tokens)
        self.counts["shortened prompts"] += shortened
        request = Request(
            _picture(first, height, width),
            _picture(last, height, width),
            text,
            side,
            num_frames + 1,
            height,
            width,
            torch.Generator("cpu").manual_seed(seed),
        )
        doing = f"{self.name}: {num_frames} frames of {height}x{width}"
        with told_memory(doing, self._loading(), resolution=self.resolution), quiet():
            video = self._call(self._pipe, request)
            self._check_video(video, request)
            video = video.cpu()
        for number in range(first is not None, num_frames):
            # One at a time: a long video in float32 is large enough.
            levels = (video[number].float() * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
            yield resized(levels, *size)

    @abstractmethod
    def _call(self, pipe: Any, request: Request) -> Tensor:
        """The pipeline's frames, [total, 3, height, width], 0 to 1."""

    def _fit(self, pipe: Any) -> None:
        """See that a loaded checkpoint is of the kind that this adapter is for.

        Raises:
            ModelError: it is not.
        """

    def _common(self, request: Request) -> dict[str, Any]:
        """Arguments that all pipelines take."""
        return {
            "prompt": request.prompt,
            "negative_prompt": self.negative_prompt,
            "num_frames": request.total,
            "height": request.height,
            "width": request.width,
            "guidance_scale": float(self.guidance),
            "generator": request.generator,
            "max_sequence_length": self.max_tokens,
            "output_type": "pt",
        }

    def _check_steps(self, time: int, space: int) -> None:
        if (time, space) != (self.time_step, self.space_step):
            raise ModelError(
                f"{self.name}: the checkpoint {self.checkpoint} compresses time by {time} and takes sizes in steps of "
                f"{space}; this adapter is for {self.time_step} and {self.space_step}. Take another checkpoint"
            )

    def _check_video(self, video: Tensor, request: Request) -> None:
        wanted = (request.total, 3, request.height, request.width)
        if tuple(video.shape) != wanted:
            made, asked = ("{} frames of {}x{}".format(s[0], *s[2:]) for s in (tuple(video.shape), wanted))
            raise ModelError(f"{self.name}: the pipeline made {made} where {asked} were asked for")
        if not bool(video.isfinite().all()):
            dtype = _transformers(self._pipe)[0].dtype
            advice = "set dtype='float32' or 'bfloat16'" if "float16" in str(dtype) else "the checkpoint is damaged"
            raise ModelError(f"{self.name}: the pipeline made pixels that are no numbers in {dtype}; {advice}")

    def _loading(self) -> Loading:
        return Loading(
            self.name,
            self.checkpoint,
            self.models_folder,
            self.pipeline,
            self.accepts,
            self.needs,
            self.float32_parts,
            self.device,
            self.dtype,
            self.offload,
            self.vae_tiling,
        )

    def _refuse(self, setting: str, good: bool, wanted: str) -> None:
        if not good:
            raise SettingError(f"{self.name}: {setting} is {wanted}; got {getattr(self, setting)!r}")


def _transformers(pipe: Any) -> list[Any]:
    """The denoiser; the two, where a checkpoint has one for high and one for low noise."""
    return [p for p in (pipe.transformer, getattr(pipe, "transformer_2", None)) if p is not None]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _picture(pixels: np.ndarray | None, height: int, width: int) -> Any:
    if pixels is None:
        return None
    image: Any = import_extra("PIL.Image", "keyframes of a video pipeline", "world", "pillow")
    return image.fromarray(resized(pixels, height, width))
