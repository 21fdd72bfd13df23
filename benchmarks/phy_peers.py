"""The jobs of `phy_rows.py`: ours, and those of each peer."""

from __future__ import annotations

from cases import Job

__all__ = ["FEW", "commpy", "convolutional_peer", "gnuradio", "gnuradio_ldpc", "numpy", "ours", "sionna", "sk_dsp"]

FEW = 3  # samples of a peer that takes seconds to start, or is slower by orders of magnitude
GNURADIO_MODES = {"zero": "terminated", "tail-biting": "tail-biting", "truncated": "streaming"}


def ours(part: str, *settings: str, label: str = "ours") -> Job:
    return Job(label, "phy_parts.py", (part, *settings))


def numpy(part: str, *settings: str, label: str = "NumPy") -> Job:
    return Job(label, "phy_parts.py", (f"{part}_numpy", *settings), samples=FEW)


def commpy(part: str, *settings: str) -> Job:
    return Job("commpy", "phy_parts.py", (f"{part}_commpy", *settings), package="commpy", samples=FEW)


def sk_dsp(part: str, *settings: str) -> Job:
    arguments = (f"{part}_sk_dsp", *settings)
    return Job("scikit-dsp-comm", "phy_parts.py", arguments, package="sk_dsp_comm", samples=FEW)


def sionna(part: str, *settings: str, label: str = "Sionna") -> Job:
    return Job(label, "sionna/parts.py", (part, *settings), samples=FEW)


def gnuradio(part: str, label: str = "GNU Radio") -> Job:
    return Job(label, "gnuradio/parts.py", ("--part", part))


def gnuradio_ldpc(part: str, *options: str) -> Job:
    return Job("GNU Radio, n=1800 k=902", "gnuradio/ldpc.py", ("--part", part, *options))


def convolutional_peer(part: str, k: int, termination: str, esn0_db: float = 2.0) -> Job:
    part = "decoder" if part == "viterbi" else part
    options = ("--part", part, "--k", str(k), "--mode", GNURADIO_MODES[termination], "--esn0-db", str(esn0_db))
    return Job("GNU Radio", "gnuradio/convolutional.py", options)
