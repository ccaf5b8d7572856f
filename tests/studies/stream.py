"""What the sweeps of these tests run: 200 additions, in more code than one line of a cache."""

KERNEL = """
.arch sm_86
.kernel stream
@repeat 200 [B------:R-:W-:-:S01] FADD R1, R2, R5 ;
[B------:R-:W-:-:S01] EXIT ;
"""
