"""What knowing the channel is worth: QPSK-OFDM over TDL-C at 30 km/h, the channel known, and estimated from pilots."""

from lgvsc_flow.blocks.channel import TdlChannel
from lgvsc_flow.graphs.modem import coded
from lgvsc_flow.graphs.ofdm import ofdm

DOPPLER_HZ = 97.0  # at 3.5 GHz
WORDS = 48  # codewords per burst: two slots, 2 ms

for receiver in ("genie", "lmmse", "ls"):
    for esn0_db in (2, 5, 8):
        channel = TdlChannel(profile="TDL-C", delay_spread_s=300e-9, doppler_hz=DOPPLER_HZ, esn0_db=esn0_db)
        wrapped = ofdm(
            channel,
            receiver=receiver,
            delay_spread_s=300e-9,
            doppler_hz=DOPPLER_HZ,
            frame_data=WORDS * 648 // 2,
        )
        graph = coded(order=4, code_rate="1/2", channel=wrapped, words=WORDS, count=10, seed=1)
        graph.run()
        print(f"{receiver:5} at {esn0_db} dB: bit error rate {graph['BerMeter'].ber:.5f}")
