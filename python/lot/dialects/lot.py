#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builders of the lot dialect: one class and one function per op."""

from ._lot_enum_gen import *
from ._lot_ops_gen import *
from ._lot_ops_gen import _Dialect
