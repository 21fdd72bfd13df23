"""Codes by name."""

import pytest

from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.codes import code


@pytest.mark.parametrize(
    ("text", "name", "k", "n"),
    [
        ("none", "uncoded", 1, 1),
        ("wifi:1944/1/2", "802.11n n=1944 r=1/2", 972, 1944),
        ("802.11n:648:5/6", "802.11n n=648 r=5/6", 540, 648),
        ("NR:512/1024", "5G NR 512/1024", 512, 1024),
        ("nr:512/1024:rv=0 2,max_iterations=5", "5G NR 512/1024 rv=0 2", 512, 2048),
        ("conv:3/4:k=900,termination=tail-biting", "convolutional K=7 r=3/4 k=900", 900, 1200),
        ("conv:1/2", "convolutional K=7 r=1/2 k=1024", 1024, 2060),
    ],
)
def test_a_text_names_a_code(text, name, k, n):
    found = code(text, order=16)
    assert (found.name, found.k, found.n) == (name, k, n)
    assert found.code_rate == k / n


def test_settings_go_to_the_end_that_has_them():
    found = code("nr:512/1024:rv=2,max_iterations=7", order=64 // 4)
    (encoder,), (decoder,) = found.encoder(), found.decoder()
    assert (encoder.rv, encoder.order, decoder.rv, decoder.max_iterations) == (2, 16, 2, 7)
    assert found.decoder()[0] is not decoder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("turbo:1/3", "there is no code 'turbo'; there are none, wifi, 802.11n, nr, conv"),
        ("wify:648/1/2", "there is no code 'wify' (did you mean wifi?)"),
        ("", "there is no code ''"),
        ("none:3", "none:3: 'none' has no settings"),
        ("wifi:1944", "wifi:1944: write the length and the rate, as in wifi:1944/1/2 or 802.11n:648:5/6"),
        ("wifi:1000/1/2", "LdpcDecoder.n is one of 648, 1296, 1944; got 1000"),
        ("nr:512", "nr:512: write information bits and sent bits, as in nr:512/1024"),
        ("nr:512/1023", "e=1023 bits do not make whole symbols of 4 bits"),
        ("nr:512/511", "nr:512/511: "),
        ("nr:512/512", "512 sent bits leave no room for the CRC of 512; send more"),
        ("nr:512/1024:order=4", "nr:512/1024:order=4: order is set twice"),
        ("nr:512/1024:max_iteration=4", "no setting 'max_iteration' (did you mean max_iterations?)"),
        ("nr:512/1024:rv=7", "rv is 0 to 3"),
        ("conv:7/8", "code_rate is one of 1/2, 2/3, 3/4, 5/6; got '7/8'"),
        ("conv:1/2:k", "code_rate is one of 1/2, 2/3, 3/4, 5/6; got '1/2:k'"),
        ("conv:1/2:k=1,k=2", "k is there twice"),
        ("conv:1/2:k=[1]", "k takes one plain value, got '[1]'"),
        ("conv:1/2:k={", "k takes a number, true, false, null or text; got '{'"),
        ("conv:1/2:k=1,2", "settings are written key=value, key=value; got '2'"),
        ("x" * 2000, "2000 characters, at most 1000"),
    ],
)
def test_what_names_none_is_said_in_one_line(text, message):
    with pytest.raises(FlowError) as caught:
        code(text, order=16)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
