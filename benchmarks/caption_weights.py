"""Learn the weights of the letter model of captions: `python benchmarks/caption_weights.py --out FILE`.

The written captions of the primer are coded in folds, each with the other folds and the generated captions as primer,
so that what is learned is how far to trust a context in a caption that was not seen. Half of the captions are also
taken in small letters and without their full stop, as many people write captions. The same input gives the same bytes:
additions, multiplications, divisions and square roots of double precision in one order, and no others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgvsc_flow.blocks.semantic.embedded import imagenet_labels
from lgvsc_flow.blocks.semantic.letter_kernels import (
    CHOICES,
    END,
    INPUTS,
    KINDS,
    PARTS,
    choose,
    follow,
    gather,
    narrow,
    new_state,
)
from lgvsc_flow.blocks.semantic.letters import LetterModel, mark_capitals, phrases, primer_lines
from lgvsc_flow.blocks.semantic.words import COLOURS, LIGHTS, MOTIONS, phrase
from lgvsc_flow.kernels import kernel

FOLDS = 8
PHRASES = 240  # texts such as the describer's, learned from beside the sentences
ROUNDS = 6
STEP = 0.012
PULL = 1e-4  # towards the weights it began with


@kernel
def collect(letters: np.ndarray, model: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each bit: odds, kinds, rows and whether it is 1."""
    primer, order, bounds, logs = model[:4]
    size = len(letters)
    state = new_state(bounds, size + 1)
    odds, kinds = np.zeros((8 * size, INPUTS), dtype=np.int64), np.zeros((8 * size, INPUTS), dtype=np.int64)
    rows, ones = np.zeros((8 * size, 3), dtype=np.int64), np.zeros(8 * size, dtype=np.int64)
    chosen = np.zeros(PARTS + 2, dtype=np.int64)
    for at in range(1, size + 1):
        follow(primer, order, state, at, chosen)
        known = 1
        for bit in range(8):
            i = 8 * (at - 1) + bit
            gather(primer, order, logs, state, at, known, bit, odds[i], kinds[i], chosen[PARTS])
            choose(chosen, known, bit, rows[i])
            ones[i] = np.int64(letters[at - 1]) >> (7 - bit) & 1
            narrow(state[3], ones[i])
            known = known << 1 | ones[i]
        state[4][at] = letters[at - 1]
    return odds, kinds, rows, ones


@kernel
def learn(
    odds: np.ndarray,
    kinds: np.ndarray,
    rows: np.ndarray,
    ones: np.ndarray,
    sequence: np.ndarray,
    squash: np.ndarray,
    scales: np.ndarray,
    weights: np.ndarray,
    sums: tuple,
    step: float,
    pull: float,
) -> float:
    """One round of gradient descent with a step of its own for each weight (Duchi et al. 2011); the mean |error|."""
    inputs = odds.shape[1]
    scale_sums, weight_sums = sums
    error_sum = 0.0
    x, w = np.zeros(inputs), np.zeros(inputs)
    for n in sequence:
        z = 0.0
        for i in range(inputs):
            x[i] = odds[n, i] / 256.0
            w[i] = weights[rows[n, 0], i] + weights[rows[n, 1], i] + weights[rows[n, 2], i]
            z += x[i] * scales[i, kinds[n, i]] * w[i]
        at = min(max(int(z * 256.0 + 3072.5), 0), 6144)
        error = squash[at] / 65536.0 - ones[n]
        error_sum += abs(error)
        for i in range(inputs):
            if x[i] == 0.0:
                continue
            kind = kinds[n, i]
            slope = error * x[i] * scales[i, kind]
            g = error * x[i] * w[i]
            scale_sums[i, kind] += g * g
            scales[i, kind] -= step * g / np.sqrt(scale_sums[i, kind] + 1e-6)
            for s in range(3):
                row = rows[n, s]
                g = slope + pull * (weights[row, i] - 1.0 / 3.0)
                weight_sums[row, i] += g * g
                weights[row, i] -= step * g / np.sqrt(weight_sums[row, i] + 1e-6)
    return error_sum / len(sequence)


def styles(lines: Sequence[str]) -> list[str]:
    """The lines, and every other one without its capital and its full stop."""
    plain = [line[:1].lower() + line[1:].rstrip(".") for line in lines[::2]]
    return [*lines, *plain]


def examples(written: Sequence[str], generated: Sequence[str]) -> list[np.ndarray]:
    """Odds, kinds, rows and bits of all written captions, each seen by a model without its fold."""
    zeros = np.zeros((INPUTS, KINDS)), np.zeros((sum(CHOICES), INPUTS))
    found = []
    for fold in range(FOLDS):
        others = [line for i, line in enumerate(written) if i % FOLDS != fold]
        model = LetterModel(([*others, *phrases()], generated), *zeros)
        held = [line for i, line in enumerate(written) if i % FOLDS == fold]
        for text in [*styles(held), *described(fold, PHRASES // FOLDS)]:
            letters = np.frombuffer(mark_capitals(text.encode()) + bytes([END]), dtype=np.uint8)
            odds, kinds, rows, ones = collect(letters, model.tables)
            found.append((odds.astype(np.int16), kinds.astype(np.uint8), rows.astype(np.int16), ones.astype(np.uint8)))
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def described(seed: int, count: int) -> list[str]:
    """Texts that the embedded describer could write; its labels are all in the primer, their company is not."""
    rng = np.random.default_rng(seed)
    labels, found = imagenet_labels(), []
    for _ in range(count):
        names = [labels[i] for i in rng.choice(len(labels), rng.choice(3, p=(0.2, 0.4, 0.4)), replace=False)]
        colours = [COLOURS[i] for i in rng.choice(len(COLOURS), rng.choice((1, 2), p=(0.7, 0.3)), replace=False)]
        found.append(phrase([names, [LIGHTS[rng.choice(4)]], colours, [MOTIONS[rng.choice(4)]]]))
    return found


def learned(written: Sequence[str], generated: Sequence[str], rounds: int = ROUNDS) -> tuple[np.ndarray, np.ndarray]:
    """Scales int16 [INPUTS, KINDS] and weights int16 [sum(CHOICES), INPUTS], both in 2^-11."""
    odds, kinds, rows, ones = examples(written, generated)
    squash = LetterModel(([], []), np.zeros((INPUTS, KINDS)), np.zeros((sum(CHOICES), INPUTS))).tables[-1]
    scales, weights = np.full((INPUTS, KINDS), 0.3), np.full((sum(CHOICES), INPUTS), 1 / 3)
    scales[-1], weights[:, -1] = 1.0, 0.0
    sums = np.zeros_like(scales), np.zeros_like(weights)
    rng = np.random.default_rng(1)
    for number in range(rounds):
        sequence = rng.permutation(len(ones))
        step = STEP * (1 - number / rounds)
        error = learn(odds, kinds, rows, ones, sequence, squash, scales, weights, sums, step, PULL)
        print(f"round {number + 1} of {rounds}: mean error {error:.5f}")
    quantised = [np.clip(np.rint(a * 2048), -32768, 32767).astype(np.int16) for a in (scales, weights)]
    return quantised[0], quantised[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to write the .npz file")
    out = parser.parse_args().out
    near, generated = primer_lines()
    scales, weights = learned(near[: len(near) - len(list(phrases()))], generated)
    np.savez(out, scales=scales, weights=weights)


if __name__ == "__main__":
    main()
