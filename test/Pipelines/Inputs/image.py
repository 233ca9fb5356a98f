"""Prints the bytes of a string constant of the LLVM dialect: image.py NAME < module.mlir"""

import re
import sys

# '"' closes the constant; as a byte of it, it is \22.
text = re.search(rf'constant @{sys.argv[1]}\("([^"]*)"\)', sys.stdin.read()).group(1)
data = re.sub(rb"\\([0-9A-F]{2})", lambda byte: bytes([int(byte[1], 16)]), text.encode())
sys.stdout.buffer.write(data.replace(rb"\\", b"\\").rstrip(b"\0"))
