"""Channels by name, as in `rayleigh`, `rician:k_db=6`, `tdl-a:delay_spread_s=100e-9`, `awgn+phase-noise`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lgvsc_flow import Block, Graph
from lgvsc_flow.blocks.channel import (
    AwgnChannel,
    CarrierFrequencyOffset,
    GilbertElliottChannel,
    IqImbalance,
    JakesChannel,
    MimoChannel,
    MimoEqualizer,
    PhaseNoise,
    RayleighChannel,
    ReplayChannel,
    RicianChannel,
    TdlChannel,
)
from lgvsc_flow.blocks.phy import OfdmModulator
from lgvsc_flow.graphs.ofdm import ofdm
from lgvsc_flow.graphs.spec import Parts, SpecError, build, choose, split

__all__ = ["CHANNELS", "IMPAIRMENTS", "Channel", "channel"]

CHANNELS: dict[str, type[Block]] = {
    "awgn": AwgnChannel,
    "rayleigh": RayleighChannel,
    "rician": RicianChannel,
    "jakes": JakesChannel,
    **{f"tdl-{letter}": TdlChannel for letter in "abcde"},
    "gilbert-elliott": GilbertElliottChannel,
    "mimo": MimoChannel,
    "replay": ReplayChannel,
}
IMPAIRMENTS: dict[str, type[Block]] = {
    "cfo": CarrierFrequencyOffset,
    "phase-noise": PhaseNoise,
    "iq": IqImbalance,
}
RECEIVERS = ("genie", "ls", "lmmse")
ALIASES = {"k_db": "k_factor_db"}
_SLOT = OfdmModulator()
OFDM_SLOT = _SLOT.grid.slot_samples
OFDM_SYMBOL = _SLOT.fft_size + _SLOT.cp


@dataclass(frozen=True)
class Channel:
    """A channel that a text names: `kind` with `settings`, `impairments` behind it, what the receiver does.

    `receiver` is how OFDM around a frequency-selective channel learns its gains, None for a flat channel without
    OFDM; `method` how antennas are separated.
    """

    name: str
    kind: type[Block]
    settings: Mapping[str, Any]
    impairments: tuple[Callable[[], Block], ...] = ()
    receiver: str | None = None
    method: str | None = None

    def block(self, esn0_db: float) -> Block:
        """The channel's block alone."""
        return self.kind(**{"esn0_db": esn0_db, **self.settings})

    def build(self, esn0_db: float, symbols: int) -> Block | Graph:
        """What stands between modulator and equalizer, for bursts of so many symbols; a new one each time.

        Raises:
            SpecError: the bursts do not fit the antennas.
        """
        first = self.block(esn0_db)
        if isinstance(first, MimoChannel) and symbols % first.transmitters:
            raise SpecError(f"{self.name}: bursts of {symbols} symbols do not divide among {first.antennas} antennas")
        chain: list[Block] = [first]
        if isinstance(first, MimoChannel):
            settings = {k: v for k, v in first.settings.items() if k in ("transmitters", "receivers")}
            chain.append(MimoEqualizer(method=self.method or "mmse", **settings))
        chain += [make() for make in self.impairments]
        inner: Block | Graph = first
        if len(chain) > 1:
            inner = Graph("channel")
            inner.connect(*chain)
            inner.open(symbols=_port(chain[0], "symbols"), received=_port(chain[-1]))
        if self.receiver is None:
            return inner
        doppler_hz = getattr(first, "doppler_hz", 0.0)
        return ofdm(inner, receiver=self.receiver, doppler_hz=doppler_hz, frame_data=symbols)


def _port(block: Block, name: str | None = None) -> Any:
    return getattr(block, name or block.outputs()[0].name)


def _impairment(parts: Parts) -> Callable[[], Block]:
    kind = choose("impairment", parts, IMPAIRMENTS)
    block = build(kind, parts, parts.settings)
    return lambda: kind(**block.settings)


def channel(text: str) -> Channel:
    """The channel that a text names.

    A name with settings of its block (`lgvsc-flow blocks RicianChannel` lists them), `k_db` for `k_factor_db`. Behind
    it, joined by `+`, impairments of the receiver. A frequency-selective channel (`tdl-a` to `tdl-e`, a dispersive
    replay) stands inside OFDM of 600 subcarriers 15 kHz apart, and takes `receiver=genie`, `ls` or `lmmse` too; so does
    a flat one where `receiver` is given (with `coherence`, in samples then, where it fades). `mimo` takes `method=mmse`
    or `zf`. A TDL channel without Doppler meets a new realisation in each burst (fading=block).

    Raises:
        SpecError: it names none.
    """
    first, *behind = (split(part) for part in re.split(r"\+(?=\s*[A-Za-z])", text))
    kind = choose("channel", first, CHANNELS)
    if first.detail:
        raise SpecError(f"{first.text}: settings are written key=value, as in rician:k_db=6; got {first.detail!r}")
    settings = {ALIASES.get(key, key): value for key, value in first.settings.items()}
    if len(settings) != len(first.settings):
        raise SpecError(f"{first.text}: k_db is k_factor_db, give one of them")
    receiver = settings.pop("receiver", None)
    method = settings.pop("method", None) if kind is MimoChannel else None
    if receiver is not None and receiver not in RECEIVERS:
        raise SpecError(f"{first.text}: receiver is one of {', '.join(RECEIVERS)}; got {receiver!r}")
    if kind is MimoChannel and (receiver or behind):
        raise SpecError(f"{text}: OFDM and impairments are for one antenna")
    if method not in (None, "zf", "mmse"):
        raise SpecError(f"{first.text}: method is zf or mmse; got {method!r}")
    if kind is TdlChannel:
        settings["profile"] = first.name.upper()
        settings.setdefault("fading", "jakes" if settings.get("doppler_hz") else "block")
    elif receiver is not None and kind is JakesChannel:
        raise SpecError(f"{first.text}: inside OFDM take a TDL channel with doppler_hz")
    elif receiver is not None and kind in (RayleighChannel, RicianChannel) and "coherence" not in settings:
        raise SpecError(
            f"{first.text}: say how long its gain holds, in samples; an OFDM symbol has {OFDM_SYMBOL}, as in "
            f"{first.name}:receiver={receiver},coherence={OFDM_SLOT}"
        )
    reserved = ("esn0_db", "profile") if kind is TdlChannel else ("esn0_db",)
    given = replace(first, settings={k: v for k, v in settings.items() if k in first.settings or k in ALIASES.values()})
    block = build(kind, given, settings, reserved)
    if kind is TdlChannel or getattr(block, "dispersive", False):
        receiver = receiver or "genie"
    wanted = {key: getattr(block, key) for key in settings}
    made = Channel(text.strip(), kind, wanted, tuple(map(_impairment, behind)), receiver, method)
    if method == "zf":
        made.build(10.0, 2 * block.settings["transmitters"])  # settings that do not go together
    return made
