"""The one small family of errors that users meet; every message is a sentence they can act on."""


class WarpwiseError(Exception):
    """Base of all errors that warpwise raises on purpose."""


class InputError(WarpwiseError):
    """A file, a line of text or a value that the user gave cannot be used."""


class DeadlockError(WarpwiseError):
    """A simulation makes no progress, or ran past its cycle limit; the message is the report."""
