"""The listing that `warpwise annotate` prints."""

from warpwise.isa import sass
from warpwise.isa.annotate import annotate, rows

PROGRAM = sass.from_text(
    "demo",
    "sm_86",
    [
        "[B------:R-:W0:-:S04] S2R R4, SR_CTAID.X",
        "[B0-----:R-:W-:Y:S05] IMAD R4, R4, c[0x0][0x0], R3",
        "[B------:R-:W-:-:S01] FMFA R4, R4, R5, R6",
    ],
)


def test_listing():
    assert annotate(PROGRAM).splitlines() == [
        "demo  sm_86  3 instructions",
        "/*0000*/ [B------:R-:W0:-:S04] S2R R4, SR_CTAID.X            "
        "MEMORY    s2r           variable",
        "/*0010*/ [B0-----:R-:W-:Y:S05] IMAD R4, R4, c[0x0][0x0], R3  "
        "FMA_HEAVY imad          fixed",
        "/*0020*/ [B------:R-:W-:-:S01] FMFA R4, R4, R5, R6           "
        "FMA       fma           fixed  (unknown opcode, unit and latency guessed; "
        "did you mean FFMA?)",
    ]


def test_rows_are_plain_values():
    assert rows(PROGRAM)[1] == {
        "pc": 16,
        "control": "[B0-----:R-:W-:Y:S05]",
        "text": "IMAD R4, R4, c[0x0][0x0], R3",
        "unit": "FMA_HEAVY",
        "latency_class": "imad",
        "fixed": True,
        "known": True,
        "nearest": None,
    }
