"""What a SASS instruction is: opcodes, operands, control bits, cubins. Knows nothing of time."""
