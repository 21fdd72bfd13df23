"""Peak throughput of GPUs, and what the paper projects from it (section III-E)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLAIMS", "GPUS", "PAIR_S", "SKEM_S", "Claim", "Gpu", "projected_s", "whole_pairs"]

PAIR_S = 8.77  # one PSSS pair, RTX 4090
SKEM_S = 2444.0  # SKEM per minute of video, RTX 4090
CAPTION_SHARE = 0.957  # of a pair: round 1
NTSCC_S = 0.0465  # per keyframe; the paper does not name the GPU
WORLD_S = 24.5  # Open-Sora per generated second, RTX 4080 SUPER


@dataclass(frozen=True)
class Gpu:
    """A GPU: dense BF16 tensor throughput with FP32 accumulation, memory bandwidth, and where both are from."""

    name: str
    tflops: float
    gb_per_s: float
    source: str


GPUS = {
    g.name: g
    for g in (
        Gpu("RTX 4090", 165.2, 1008, "paper (165.2); NVIDIA Ada GPU architecture whitepaper, RTX 4090"),
        Gpu(
            "RTX 4080 SUPER",
            104.4,
            736,
            "320 tensor cores x 2.55 GHz x 128 FLOP, as the RTX 4090's 512 x 2.52 GHz; 256 bit x 23 Gbit/s",
        ),
        Gpu("L40S", 362.0, 864, "NVIDIA L40S datasheet, without sparsity"),
        Gpu("A100 SXM 80 GB", 312.0, 2039, "NVIDIA A100 datasheet, without sparsity"),
        Gpu("H100 SXM", 989.4, 3350, "paper (989.4); NVIDIA H100 datasheet, half of its figure with sparsity"),
        Gpu("H200 SXM", 989.4, 4800, "paper (989.4); NVIDIA H200 datasheet, half of its figure with sparsity"),
        Gpu("B200 SXM", 2250.0, 8000, "paper (2250); NVIDIA Blackwell datasheet, up to 8 TB/s"),
    )
}


def projected_s(seconds: float, measured_on: float, other: float) -> float:
    """Time on another GPU if it is proportional to 1 / peak; both peaks in one unit."""
    return seconds * measured_on / other


@dataclass(frozen=True)
class Claim:
    """A figure of the paper: what its inputs give, and what is printed, with as many decimals."""

    what: str
    formula: str
    value: float
    printed: float
    decimals: int
    unit: str

    @property
    def follows(self) -> bool:
        """Whether the value, rounded as the printed one is, equals it."""
        return round(self.value, self.decimals) == self.printed


_4090, _H100, _B200 = (GPUS[n].tflops for n in ("RTX 4090", "H100 SXM", "B200 SXM"))
CLAIMS = (
    Claim("PSSS on a B200", "8.77 x 165.2 / 2250", projected_s(PAIR_S, _4090, _B200), 0.64, 2, "s per pair"),
    Claim("SKEM on a B200", "2444 x 165.2 / 2250", projected_s(SKEM_S, _4090, _B200), 179, 0, "s per minute"),
    Claim("B200 over RTX 4090", "2250 / 165.2", _B200 / _4090, 13.6, 1, "times"),
    Claim("H100 over RTX 4090", "989.4 / 165.2", _H100 / _4090, 6.0, 1, "times"),
    Claim("pairs, implied", "2444 / 8.77", SKEM_S / PAIR_S, 279, 0, "pairs per minute"),
    Claim("the same backwards", "279 x 8.77", 279 * PAIR_S, 2444, 0, "s per minute"),
    Claim("SKEM on a B200, from the printed 0.64", "279 x 0.64", 279 * 0.64, 179, 0, "s per minute"),
)


def whole_pairs(total_s: float = SKEM_S, pair_s: float = PAIR_S) -> list[int]:
    """Whole numbers of pairs that give `total_s`, printed to 1 s, at `pair_s`, printed to 0.01 s."""
    low, high = (total_s - 0.5) / (pair_s + 0.005), (total_s + 0.5) / (pair_s - 0.005)
    return [n for n in range(int(low), int(high) + 1) if low <= n < high]
