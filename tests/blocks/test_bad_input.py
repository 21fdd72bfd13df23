"""Whatever a PHY or channel block is given: its result, a clear error, never a crash and never garbage.

Blocks are found by the registry, so that a new one is covered as soon as it is installed.
"""

from copy import deepcopy

import numpy as np
import pytest
from bad_items import ANY, REFUSED, SAME, variants, why_unclear

from lgvsc_flow.blocks.channel import MimoChannel, MimoReceived, TdlChannel
from lgvsc_flow.blocks.channel.dispersed import Dispersed
from lgvsc_flow.difference import first_difference
from lgvsc_flow.errors import FlowError, SettingError
from lgvsc_flow.items import Bits, Checked, Llrs, Payload, Received, Symbols
from lgvsc_flow.propagate import known_size
from lgvsc_flow.registry import home, known_blocks
from lgvsc_flow.shapes import evaluate
from lgvsc_flow.testing import run_block

BLOCKS = {
    name: kind
    for name, kind in sorted(known_blocks().items())
    if home(kind) in ("lgvsc_flow.blocks.phy", "lgvsc_flow.blocks.channel")
}
OFDM = {"fft_size": 16, "cp": 4, "subcarriers": 12, "slot_symbols": 4, "pilot_spacing": 4}
FRAMED = {**OFDM, "frame_data": 50}
NR = {"a": 40, "e": 96}
ORDERS = [{"order": order} for order in (4, 16, 64, 256, 1024)]
SETTINGS = {
    "BurstPad": [{"frame": 100}],
    "BurstTrim": [{"frame": 100}],
    "ChannelEstimator": [OFDM, {**FRAMED, "method": "lmmse"}],
    "ConvolutionalEncoder": [{"k": 40}, {"k": 41, "code_rate": "3/4", "termination": "tail-biting"}],
    "CrcAppend": [{}, {"block_bits": 13, "crc": "32"}],
    "CrcCheck": [{}, {"block_bits": 13, "crc": "32"}],
    "Deinterleaver": [{"columns": 30}],
    "GilbertElliottChannel": [{}, {"bad_rate": 0.5, "mean_run": 2, "unit": 7}],
    "Interleaver": [{"columns": 30}],
    "IqImbalance": [{}],
    "JakesChannel": [{"sinusoids": 8}, {"coherence": 7, "k_factor_db": 3}],
    "LdpcDecoder": [{"max_iterations": 3}, {"max_iterations": 3, "precision": "int8"}],
    "LdpcSoftDecoder": [{"max_iterations": 3}],
    "MimoEqualizer": [{"method": "zf"}, {"method": "mmse"}],
    "NrDeinterleaver": [{"n": 60, "bits_per_symbol": 6}],
    "NrInterleaver": [{"n": 60, "bits_per_symbol": 6}],
    "NrLdpcDecoder": [{**NR, "max_iterations": 3}, {**NR, "max_iterations": 3, "precision": "int8", "rv": "0 2"}],
    "NrLdpcEncoder": [NR, {**NR, "rv": "0 2"}],
    "OfdmDemodulator": [OFDM, FRAMED],
    "OfdmModulator": [OFDM, FRAMED],
    "PhaseNoise": [{"linewidth_hz": 1e5}],
    "QamDecision": ORDERS,
    "QamDemodulator": [*ORDERS, *({**order, "method": "exact"} for order in ORDERS)],
    "QamModulator": ORDERS,
    "RandomBits": [{"n": 100}],
    "TdlChannel": [{"sinusoids": 8, **more} for more in ({}, {"fading": "block"}, {"doppler_hz": 1e3, "lead": 4})],
    "UserLdpcDecoder": [{"max_iterations": 3}, {"max_iterations": 3, "precision": "int8"}],
    "UserPointsDemodulator": [{}, {"method": "exact"}],
    "ViterbiDecoder": [{"k": 40}, {"k": 41, "code_rate": "3/4", "termination": "tail-biting"}],
}
# These do not look at everything that is no LLRs at all.
FREE = {"n": 720, "uses": 20, "digital_symbols": 50, "analog_symbols": 30}  # other names of shapes are 2
ANY_SIZE = 200
CASES = [pytest.param(n, s, id=f"{n}-{i}") for n in BLOCKS for i, s in enumerate(SETTINGS.get(n, [{}]))]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Settings of the blocks that read or write files."""
    folder = tmp_path_factory.mktemp("bad")
    np.save(folder / "gains.npy", np.exp(1j * np.arange(50)))
    sink = BLOCKS["SigmfSink"](path=str(folder / "recording"), sample_rate_hz=1.0)
    run_block(sink, [np.ones(9, np.complex64)])
    received = Received(np.ones(9, np.complex64), np.ones(9, np.complex64), np.array(1, np.float32))
    run_block(BLOCKS["ReceivedSink"](path=str(folder / "received")), [received])
    return {
        "ReceivedSink": {"path": str(folder / "also new")},
        "ReceivedSource": {"path": str(folder / "received")},
        "ReplayChannel": {"path": str(folder / "gains.npy")},
        "SigmfSink": {"path": str(folder / "new"), "sample_rate_hz": 1.0},
        "SigmfSource": {"path": str(folder / "recording")},
    }


def made(kind, size, rng):
    """A good item."""
    symbols = (rng.normal(size=size) + 1j * rng.normal(size=size)).astype(np.complex64)
    if kind is Bits:
        return rng.integers(0, 2, size, dtype=np.uint8)
    if kind is Llrs:
        return rng.normal(size=size).astype(np.float32)
    if kind is Symbols:
        return symbols
    if kind is MimoReceived:
        return run_block(MimoChannel(), [symbols])[0]
    if kind is Dispersed:
        return run_block(TdlChannel(), [symbols])[0]
    if kind is Received:
        return Received(symbols, symbols + 2, np.full(size, 0.1, np.float32))
    if kind is Checked:
        return Checked(rng.integers(0, 2, size, dtype=np.uint8), np.ones(2, bool))
    assert kind is Payload, f"tests make no {kind}: add them to `made`"
    return Payload(0, "caption", b"a caption")


def good_items(block):
    rng = np.random.default_rng(3)
    if type(block).__name__ in BEHIND:
        return BEHIND[type(block).__name__](rng)

    def size(name):
        found = known_size(block, {}, name)
        return FREE.get(name, 2) if found is None else found

    return [made(p.kind, ANY_SIZE if p.shape == "*" else evaluate(p.shape, size), rng) for p in block.inputs()]


def one_way(block, *items):
    """A burst as it comes over a good channel, with the state of each symbol."""
    (sent,) = run_block(block, *[[item] for item in items])
    return [Received(2 * sent, np.full(sent.size, 2, np.complex64), np.full(sent.size, 0.1, np.float32))]


def packets(rng):
    payloads = [
        Payload(0, name, data) for name, data in (("caption", b"a caption"), ("side", b"x"), ("hyperprior", None))
    ]
    (bits,) = run_block(BLOCKS["Packetizer"](), *[[payload] for payload in payloads])
    return [Checked(np.tile(bits, 2), np.ones(2, bool))]


# Good items of the blocks for which not any will do.
BEHIND = {
    "BurstTrim": lambda rng: one_way(BLOCKS["BurstPad"](frame=100), made(Symbols, 40, rng)),
    "Depacketizer": packets,
    "TimeDemultiplexer": lambda rng: one_way(
        BLOCKS["TimeMultiplexer"](), made(Symbols, 40, rng), made(Symbols, 20, rng)
    ),
}


def worked(block, items):
    """What `work` gives for items, called directly, as a list; and the error, if there is one."""
    block = deepcopy(block)
    block.rng = np.random.default_rng(1)
    block.start()
    try:
        with np.errstate(all="ignore"):
            found = block.work(*items)
        return (list(found) if block.yields() else [found]), None
    except Exception as error:  # which ones are right is what the tests look at
        return [], error
    finally:
        block.stop()


def bad_sets(block):
    """(what is wrong, the items of one call, what must follow): one input at a time."""
    good = good_items(block)
    for place, (port, item) in enumerate(zip(block.inputs(), good, strict=True)):
        for name, bad, outcome in variants(item):
            yield f"{port.name} {name}", [*good[:place], bad, *good[place + 1 :]], outcome
        if port.kind is Received:  # behind a frequency-selective channel
            dispersed = made(Dispersed, item.symbols.size, np.random.default_rng(4))
            for name, bad, _ in variants(dispersed):
                if "taps" in name or "hold" in name or "used" in name:
                    yield f"{port.name} dispersed {name}", [*good[:place], bad, *good[place + 1 :]], ANY


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_work_gives_its_result_or_a_clear_error(name, settings, files):
    block = BLOCKS[name](**{**settings, **files.get(name, {})})
    good = good_items(block)
    expected, failed = worked(block, good)
    assert failed is None, f"not good at all: {failed}"
    problems = []
    for what, items, outcome in bad_sets(block):
        found, error = worked(block, items)
        if error is not None:
            unclear = why_unclear(error)
            if unclear or outcome == SAME:
                problems.append(f"{what}: {unclear or error}")
        elif outcome == REFUSED:
            problems.append(f"{what}: taken without a word")
        elif outcome == SAME and first_difference(expected, found):
            problems.append(f"{what}: {first_difference(expected, found)}")
        elif outcome == ANY and first_difference(found, worked(block, items)[0]):
            problems.append(f"{what}: not the same twice")
    assert not problems, f"{len(problems)} of {name}:\n" + "\n".join(problems)


def unsound(item, kind):
    """Why an item that a block has sent is none that anybody could use; empty where it is."""
    if kind is Bits:
        return "bits that are neither 0 nor 1" if item.size and item.max() > 1 else ""
    if kind is Llrs:
        return "LLRs that are NaN" if np.isnan(item).any() else ""
    if isinstance(item, Received):
        noise = np.asarray(item.noise_variance)
        return "noise variances below 0" if (noise < 0).any() else ""
    return "bits that are neither 0 nor 1" if isinstance(item, Checked) and item.bits.max(initial=0) > 1 else ""


# What these send is what came: they move it, or pass the channel's state on.
CARRIERS = {
    "BitRepeat", "BurstTrim", "CarrierFrequencyOffset", "Deinterleaver", "DropState", "Interleaver", "LlrCombine",
    "LlrDescrambler", "NrDeinterleaver", "NrInterleaver", "OfdmDemodulator", "PhaseNoise", "RandomDeinterleaver",
    "RandomInterleaver", "TimeDemultiplexer", "IqImbalance",
}  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_in_a_graph_sizes_fit_and_values_are_sound(name, settings, files):
    """The runtime compares what is sent with the ports, dtypes and sizes; here it is looked at, too."""
    block = BLOCKS[name](**{**settings, **files.get(name, {})})
    problems = []
    for what, items, outcome in bad_sets(block):
        if outcome != ANY:
            continue
        try:
            with np.errstate(all="ignore"):
                found = run_block(block, *[[item] for item in items])
        except FlowError as error:
            if why_unclear(error):
                problems.append(f"{what}: {why_unclear(error)}")
            continue
        outs = block.outputs()
        sent = found if isinstance(found, dict) else {outs[0].name: found} if outs else {}
        for port in outs if name not in CARRIERS else ():
            for item in sent[port.name]:
                if unsound(item, port.kind):
                    problems.append(f"{what}: {port.name} has {unsound(item, port.kind)}")
    assert not problems, f"{len(problems)} of {name}:\n" + "\n".join(problems)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_settings_without_bounds_are_refused_or_do_well(name, settings, files):
    """Numbers that a setting does not rule out give finite results of finite items."""
    kind = BLOCKS[name]
    given = {**settings, **files.get(name, {})}
    problems = []
    for setting, field in kind.setting_fields().items():
        if "float" not in str(field.type):
            continue
        for value in (np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300, 0.0):
            try:
                block = kind(**{**given, setting: value})
            except SettingError as error:
                if why_unclear(error):
                    problems.append(f"{setting}={value}: {why_unclear(error)}")
                continue
            found, error = worked(block, good_items(block))
            if error is not None and why_unclear(error):
                problems.append(f"{setting}={value}: {why_unclear(error)}")
            for item in found:
                for part in item if isinstance(item, tuple) else (item,):
                    arrays = [part] if isinstance(part, np.ndarray) else list(vars(part).values()) if part else []
                    if any(np.isnan(a).any() for a in arrays if isinstance(a, np.ndarray)):
                        problems.append(f"{setting}={value}: NaN in {type(part).__name__}")
    assert not problems, f"{len(problems)} of {name}:\n" + "\n".join(problems)
