"""Messages kept in files: `WARPWISE_GOLDEN=1 pytest tests/traces` writes them anew, to be read
before they are committed.
"""

import os
from pathlib import Path

import pytest

from warpwise.isa.errors import InputError

DATA = Path(__file__).parent / "data"


def message(read, folder):
    """What `read` says is wrong, without the folder."""
    with pytest.raises(InputError) as caught:
        read()
    text = str(caught.value).replace(f"{folder}/", "")
    return text if len(text) < 300 else f"{text[:150]} ... {text[-140:]}"


def compare(path, messages):
    """All messages are those of the file, and there are no others in it."""
    text = "".join(f"{name} = {text}\n" for name, text in messages.items())
    if "WARPWISE_GOLDEN" in os.environ:
        path.write_text(text)
    assert text == path.read_text()
