"""Codes by name."""

from pathlib import Path

import pytest

from lgvsc_flow.blocks.phy.ldpc.alist import format_alist, write_alist
from lgvsc_flow.blocks.phy.ldpc.user_blocks import EXAMPLE
from lgvsc_flow.blocks.phy.ldpc.user_code import user_code
from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.ber import ber_curve, errors
from lgvsc_flow.graphs.codes import code
from lgvsc_flow.graphs.modem import Modem


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


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Two files in the current folder, with capitals in their names; the code's parameters are (64, 128)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Folder").mkdir()
    (tmp_path / "Folder" / "My.qc").write_text(EXAMPLE.replace(";", "\n"))
    write_alist("My.alist", user_code(EXAMPLE).encoder.matrix)


def test_a_code_of_the_users_own(own):
    table, listed = code("ldpc:Folder/My.qc"), code(" LDPC: My.alist :max_iterations=7,precision=int8,information=last")
    assert (table.k, table.n, listed.k, listed.n) == (64, 128, 64, 128)
    assert table.name == f"My, {user_code(EXAMPLE).format}"
    assert listed.name == f"My, {user_code(EXAMPLE, 'last').format}" != table.name
    (encoder,), (decoder,) = listed.encoder(), listed.decoder()
    assert encoder.settings == {"matrix": "My.alist", "information": "last"}
    assert (decoder.matrix, decoder.max_iterations, decoder.precision) == ("My.alist", 7, "int8")
    assert table.coded
    assert table.interleaved


def test_a_curve_of_the_users_own_code_is_that_of_the_table(own):
    """The name has the digest of the matrix: another matrix in a file of that name makes another curve."""
    stop = errors(10, max_bits=1e5)
    curves = [ber_curve(Modem(code=f"ldpc:{file}", order=4), [2.0], stop=stop) for file in ("My.alist", "Folder/My.qc")]
    assert curves[0].points == curves[1].points
    assert curves[0].points[0].block_errors >= 10
    text = Path("My.alist").read_text()
    Path("My.alist").write_text(format_alist(user_code(EXAMPLE.replace("15 8", "15 9")).encoder.matrix))
    assert Path("My.alist").read_text() != text
    assert code("ldpc:My.alist").name != code("ldpc:Folder/My.qc").name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ldpc:", "ldpc:: write the file of the parity-check matrix, as in ldpc:my.alist or ldpc:my.qc"),
        ("ldpc:precision=int8", "write the file of the parity-check matrix, as in ldpc:my.alist or ldpc:my.qc"),
        ("ldpc:None.alist", "UserLdpcDecoder.matrix: 'None.alist' cannot be read: No such file or directory"),
        ("ldpc:My.alist:matrix=1", "ldpc:My.alist:matrix=1: matrix is set twice, leave it out of the settings"),
        ("ldpc:My.alist:precison=int8", "no setting 'precison' (did you mean precision?)"),
        ("ldpc:wrong", "'wrong', line 1: there are 1 numbers; expected the numbers of columns and rows (alist), and z"),
    ],
)
def test_a_file_that_makes_no_code(own, text, message):
    Path("wrong").write_text("7")
    with pytest.raises(FlowError) as caught:
        code(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


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
