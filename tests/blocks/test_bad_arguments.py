"""The functions beneath the PHY and channel blocks, called with what they should not be given."""

import inspect
from importlib import import_module

import numpy as np
import pytest
from bad_items import ANY, REFUSED, SAME, variants, why_unclear

from lgvsc_flow.blocks.channel.dispersed import Dispersed
from lgvsc_flow.blocks.channel.mimo import MimoReceived
from lgvsc_flow.blocks.phy.convolutional import convolutional_code
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import segmentation
from lgvsc_flow.blocks.phy.mux import sig_symbols
from lgvsc_flow.difference import first_difference
from lgvsc_flow.items import Checked, Received

BITS = np.random.default_rng(1).integers(0, 2, 648, dtype=np.uint8)
LLRS = np.random.default_rng(2).normal(size=648).astype(np.float32)
SYMBOLS = np.random.default_rng(3).normal(size=(60, 2)).astype(np.float32).view(np.complex64).reshape(-1)
RECEIVED = Received(SYMBOLS, SYMBOLS + 2, np.full(60, 0.1, np.float32))
FIELD = Received(*(np.resize(part, sig_symbols()) for part in vars(RECEIVED).values()))
ONE, NOISE = np.array(1, np.complex64), np.array(0.1, np.float32)
DISPERSED = Dispersed(SYMBOLS, ONE, NOISE, SYMBOLS.reshape(20, 3), 3, 0)
MIMO = MimoReceived(SYMBOLS, SYMBOLS[:20].reshape(5, 2, 2), NOISE, 6)
CODE, WORDS = convolutional_code(318), wifi_code(648, "1/2")
CUT = segmentation(40, 2)
MATCHING = RateMatching(CUT, 96, 2)


def rng():
    return np.random.default_rng(5)


# For each function, arguments that are good; those that are arrays, records or numbers are changed one by one.
CALLS = {
    "phy.constellation.constellation": (16,),
    "phy.convolutional.decode": (LLRS, CODE),
    "phy.convolutional.encode": (BITS[:636], CODE),
    "phy.crc.append_crc": (BITS, 81),
    "phy.crc.check_crc": (BITS, 300),
    "phy.crc.crc": (BITS,),
    "phy.decision.decide": (LLRS,),
    "phy.decision.decide_symbols": (RECEIVED, 16),
    "phy.estimation.frequency_correlation": (12, 15e3, 1e-6, 1e-7),
    "phy.estimation.time_correlation": (14, 7e-5, 100.0),
    "phy.ldpc.decode.decode": (LLRS, WORDS),
    "phy.ldpc.encode.encode": (BITS, WORDS),
    "phy.ldpc.fixed.decode_int8": (LLRS, WORDS),
    "phy.ldpc.nr_segmentation.segment": (BITS[:120], CUT),
    "phy.mux.decode_sig": (FIELD, 1),
    "phy.mux.encode_sig": (5, 7, 1),
    "phy.mux.sig_symbols": (1,),
    "phy.ofdm.nr_numerology": (1, 10),
    "phy.qam.modulate": (BITS, 16),
    "phy.qam_soft.demodulate": (RECEIVED, 16),
    "phy.repeat.combine": (LLRS, 3),
    "phy.resource_grid.impulse_response": (DISPERSED,),
    "phy.resource_grid.known_symbols": (40, 1),
    "phy.scrambler.bit_sequence": ("nr", 5),
    "phy.packet.fragment": (b"some bytes", 3, 80),
    "phy.packet.gather": (Checked(BITS, np.ones(8, bool)), 0, 81),
    "phy.packet.read_header": (BITS,),
    "phy.packet.split_streams": (BITS, np.ones(648, bool)),
    "channel.awgn.add_noise": (SYMBOLS, 0.1, rng),
    "channel.awgn.noise_variance": (10.0,),
    "channel.dispersed.disperse": (SYMBOLS, SYMBOLS[:2], SYMBOLS.reshape(20, 3), 3, 0),
    "channel.doppler.draw_fading": (0.01, rng),
    "channel.equalizer.equalize": (RECEIVED,),
    "channel.erasures.walk": (False, 0.1, 0.2, np.linspace(0, 0.9, 50)),
    "channel.impairments.image_rejection_db": (1.0, 2.0),
    "channel.impairments.imbalance": (1.0, 2.0),
    "channel.impairments.rotation": (0.01, 0.2, 5, 100),
    "channel.impairments.turned": (RECEIVED, SYMBOLS),
    "channel.mimo.separate": (MIMO,),
    "channel.rayleigh.fading": (50, 7, rng),
    "channel.rician.rician": (50, 7, 3.0, rng),
    "channel.rician.split_power": (3.0,),
    "channel.tdl.pulses": (np.array([0.0, 1.5, 3.0]), 2),
}
CASES = [pytest.param(name, arguments, id=name) for name, arguments in CALLS.items()]


def changed(argument):
    """(what is wrong, what is given, what must follow) for one argument."""
    if isinstance(argument, np.ndarray) and argument.ndim > 1:
        return  # looked at in the tests of the function itself
    if isinstance(argument, (np.ndarray, Received, Checked)):
        yield from variants(argument)
    elif isinstance(argument, bool):
        return
    elif isinstance(argument, int):
        for value in (0, -1, -(2**31), 3, 2**31):
            yield f"{value}", value, ANY
    elif isinstance(argument, float):
        for value in (np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, -1.0, 1e-300):
            yield f"{value}", value, ANY
    elif isinstance(argument, str):
        yield "no such", "no such", REFUSED
    elif isinstance(argument, bytes):
        for value in (b"", b"\0" * 10000):
            yield f"{len(value)} bytes", value, ANY


def called(function, arguments):
    """What a function gives, or the error that it raises."""
    given = [a() if a is rng else a for a in arguments]
    try:
        with np.errstate(all="ignore"):
            return function(*given), None
    except Exception as error:  # which ones are right is what the test looks at
        return None, error


def found_by(name):
    module, function = name.rsplit(".", 1)
    return getattr(import_module(f"lgvsc_flow.blocks.{module}"), function)


HUGE = {"2147483648"}  # asks for more memory than there may be, except as one of
BOUNDED = ("order", "repeats", "times", "initial", "block_bits")
# These convert what can be converted, or do not look at everything that is no array at all.
LENIENT = {"channel.tdl.pulses", "phy.packet.split_streams"}


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_function_gives_its_result_or_a_clear_error(name, arguments):
    function = found_by(name)
    expected, failed = called(function, arguments)
    assert failed is None, f"not good at all: {failed}"
    names = list(inspect.signature(function).parameters)
    problems = []
    for place, argument in enumerate(arguments):
        for what, value, outcome in changed(argument):
            if what in HUGE and names[place] not in BOUNDED:
                continue
            where = f"{names[place]} {what}"
            got, error = called(function, [*arguments[:place], value, *arguments[place + 1 :]])
            if error is not None:
                unclear = why_unclear(error)
                none = value is None or (isinstance(value, list | float) and outcome == REFUSED)
                if (unclear and not (name in LENIENT and none)) or outcome == SAME:
                    problems.append(f"{where}: {unclear or error}")
            elif outcome == REFUSED and name not in LENIENT:
                problems.append(f"{where}: taken without a word")
            elif outcome == SAME and first_difference(expected, got):
                problems.append(f"{where}: {first_difference(expected, got)}")
    assert not problems, f"{len(problems)} of {name}:\n" + "\n".join(problems)


def test_keywords_out_of_range():
    for name, arguments, wrong in (
        ("phy.convolutional.decode", (LLRS, CODE), {"llr_clip": (0, np.nan, np.inf, -1), "max_wraps": (0, -1)}),
        ("phy.ldpc.decode.decode", (LLRS, WORDS), {"max_iterations": (-1,), "factor": (0, np.nan, 2, -1)}),
        ("phy.ldpc.fixed.decode_int8", (LLRS, WORDS), {"max_iterations": (-1,), "wanted": (0, 15, 649, -1)}),
        ("phy.qam_soft.demodulate", (RECEIVED, 16), {"method": ("maxlog", "")}),
        ("channel.equalizer.equalize", (RECEIVED,), {"method": ("ZF", "")}),
        ("channel.mimo.separate", (MIMO,), {"method": ("ZF", "")}),
        ("phy.crc.crc", (BITS,), {"name": ("24", "")}),
    ):
        for key, values in wrong.items():
            for value in values:
                with pytest.raises(ValueError, match=r"\S") as caught:
                    found_by(name)(*arguments, **{key: value})
                assert not why_unclear(caught.value), f"{name}({key}={value!r})"
