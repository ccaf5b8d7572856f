"""What is likely about static code and text: the model behind the head of a file.

An encoding resembles the last one with its opcode, and what follows an opcode is what followed it
before. All arrays are filled in while the coder decodes, and only looked at while it does not.
"""

import numpy as np

from ..isa.compiled import compiled, entry
from .entropy import USED as N
from .entropy import choice, difference, mixed, number
from .templates import OPCODE

ENCODING_BYTES = 16
# Opcode, what modifies it, control bits, registers, the rest.
ORDER = np.array([0, 1, 10, 11, 9, 13, 14, 15, 12, 2, 3, 8, 4, 5, 6, 7])
CONTROL, MORE_CONTROL, DESTINATION, THIRD_SOURCE = 5, 6, 9, 11  # in that order
NO_OPCODE = OPCODE + 1
# Kinds of decisions; one for each byte of an encoding.
NUMBER, CELL, CHOICE, TEXT, OCTET, ENCODING = range(6)


@entry
def code_numbers(coder, numbers):
    """Code numbers that resemble the last ones."""
    for k in range(len(numbers)):
        coder.contexts[0] = numbers[k - 1] if k else 0
        coder.contexts[1] = 1
        coder.state[N] = 2
        numbers[k] = difference(coder, NUMBER, numbers[k])


@entry
def code_table(coder, table):
    """Code rows of numbers, each as the difference to the one above."""
    rows, columns = table.shape
    contexts, steps = coder.contexts, np.zeros(columns, np.int64)
    for row in range(rows):
        for column in range(columns):
            above = table[row - 1, column] if row else 0
            contexts[0] = mixed(column, above)
            contexts[1] = column
            contexts[2] = mixed(column, steps[column])
            contexts[3] = mixed(column, table[row, column - 1] if column else 0)
            coder.state[N] = 4
            step = difference(coder, CELL, table[row, column] - above)
            table[row, column], steps[column] = above + step, step


@compiled
def opcode(first, second):
    """Of an encoding's first two bytes."""
    return (second << 8 | first) & OPCODE


@compiled
def _start_contexts(coder, k, first, earlier):
    """Of a byte of the opcode."""
    contexts, last = coder.contexts, earlier[0]
    here = mixed(k, first)
    before = mixed(here, opcode(last[0], last[1]))
    second = opcode(earlier[1, 0], earlier[1, 1])
    contexts[0] = here
    contexts[1] = before
    contexts[2] = mixed(before, second)
    contexts[3] = mixed(contexts[2], opcode(earlier[2, 0], earlier[2, 1]))
    contexts[4] = mixed(before, last[DESTINATION])
    contexts[5] = mixed(here, second)
    contexts[6] = mixed(mixed(before, last[2]), mixed(last[3], last[THIRD_SOURCE]))
    contexts[7] = mixed(before, last[CONTROL])
    contexts[8] = mixed(before, last[MORE_CONTROL])


@compiled
def _contexts(coder, k, code, so_far, alike, found, earlier):
    """Of another byte; `alike` is the last encoding with the opcode, `so_far` all bytes before."""
    contexts, last = coder.contexts, earlier[0]
    here = mixed(k, code)
    before = mixed(here, opcode(last[0], last[1]))
    contexts[0] = here
    contexts[1] = mixed(here, alike[k])
    contexts[2] = mixed(so_far, k)
    contexts[3] = mixed(before, last[k])
    contexts[4] = mixed(before, last[DESTINATION])
    contexts[5] = mixed(mixed(k, last[k]), earlier[1, k])
    contexts[6] = mixed(here, found[k - 1])
    contexts[7] = mixed(mixed(before, opcode(earlier[1, 0], earlier[1, 1])), found[k - 1])
    contexts[8] = mixed(mixed(here, alike[k]), alike[k - 1] - found[k - 1])


@entry
def code_encodings(coder, encodings):
    """Code encodings, shape (n, 16)."""
    alike = np.zeros((NO_OPCODE, ENCODING_BYTES), np.int64)  # the last one of each opcode
    earlier = np.zeros((3, ENCODING_BYTES), np.int64)  # the last ones, in the order of their bytes
    for row in range(len(encodings)):
        found = np.zeros(ENCODING_BYTES, np.int64)
        so_far = 0
        for k in range(ENCODING_BYTES):
            if k < 2:
                _start_contexts(coder, k, found[0], earlier)
            else:
                code = opcode(found[0], found[1])
                _contexts(coder, k, code, so_far, alike[code], found, earlier)
            coder.state[N] = 9
            byte = np.int64(encodings[row, ORDER[k]])
            found[k] = choice(coder, ENCODING + k, 8, byte)
            so_far = mixed(so_far, found[k])
            encodings[row, ORDER[k]] = found[k]
        alike[opcode(found[0], found[1])] = found
        for k in range(len(earlier) - 1, 0, -1):
            earlier[k] = earlier[k - 1]
        earlier[0] = found


@entry
def code_choices(coder, opcodes, choices):
    """Code numbers that depend on an opcode."""
    contexts, before = coder.contexts, 0
    last = np.zeros(NO_OPCODE + 1, np.int64)
    for k in range(len(choices)):
        code = opcodes[k]
        contexts[0] = mixed(code, last[code])
        contexts[1] = code
        contexts[2] = before
        contexts[3] = mixed(contexts[0], before)
        coder.state[N] = 4
        before = last[code] = choices[k] = number(coder, CHOICE, choices[k])


@compiled
def _in_word(byte):
    return 48 <= byte < 58 or 65 <= byte < 91 or 97 <= byte < 123 or byte >= 128


@entry
def code_text(coder, text):
    """Code bytes that are mostly text."""
    contexts = coder.contexts
    word = 0
    for k in range(len(text)):
        contexts[0] = 0
        context = 1
        for back in range(1, 7):
            context = mixed(context, np.int64(text[k - back]) if back <= k else 0)
            contexts[back] = context
        contexts[7] = word
        coder.state[N] = 8
        byte = choice(coder, TEXT, 8, np.int64(text[k]))
        text[k] = byte
        word = mixed(word if _in_word(byte) else 0, byte)


@entry
def code_octets(coder, octets):
    """Code bytes that may be any."""
    for k in range(len(octets)):
        coder.contexts[0] = 0
        coder.state[N] = 1
        octets[k] = choice(coder, OCTET, 8, np.int64(octets[k]))
