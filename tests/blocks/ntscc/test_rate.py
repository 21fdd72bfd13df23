"""Symbols that a payload costs on the digital link."""

import pytest

from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol, digital_symbols


@pytest.mark.parametrize(("snr_db", "bits"), [(14, 2), (9, 2), (8.9, 1), (4, 1), (1, 0.5), (-2, 0.25), (-9, 0.125)])
def test_bits_per_symbol(snr_db, bits):
    assert bits_per_symbol(snr_db) == bits


def test_whole_codewords():
    assert digital_symbols(37, 10) == 162  # 296 + 24 bits: one codeword of 324
    assert digital_symbols(38, 10) == 324
    assert digital_symbols(38, 0) == 2592
