#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""XLA FFI handlers written in Python.

XLA calls a handler through a C structure, the call frame of xla/ffi/api/c_api.h (jaxlib ships
the header). This module mirrors the part of that interface that a handler needs with ctypes.
So lot needs no jaxlib when it is built, any wheel of lot works with any JAX of this interface,
and the same compiled kernels serve NumPy, PyTorch and JAX. XLA promises that the interface keeps
its layout within a major version: every structure begins with its size, new fields come last.

A handler takes the interpreter's lock for some 20 us a call and gives it back while a kernel
runs. No pointer of this process is in a compiled XLA program, so programs can be cached on disk.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any, Callable

import numpy as np

from .._operands import BFLOAT16, F16, F32, F64

#: The version of the interface that is mirrored here.
MAJOR, MINOR = 0, 3

_EXTENSION_METADATA = 1
_STAGE_EXECUTE = 3
_INVALID_ARGUMENT, _INTERNAL = 3, 13
_ATTRIBUTE_SCALAR, _ATTRIBUTE_STRING = 3, 4
#: Promises that a handler only puts work into its stream: it can be recorded and replayed.
_COMMAND_BUFFERS = 1
_DTYPES = {10: F16, 11: F32, 12: F64, 16: BFLOAT16}
_U8 = 6
_SCALARS = {5: c_int64, 12: ctypes.c_double}


def _structure(name: str, *fields: tuple, header: bool = True) -> type:
    """A structure of the interface; most begin with their size and a list of extensions."""
    if header:
        fields = (("struct_size", c_size_t), ("extension_start", c_void_p), *fields)
    return type(name, (ctypes.Structure,), {"_fields_": list(fields)})


_Version = _structure("Api_Version", ("major", c_int), ("minor", c_int))
#: The first functions of the interface, in its order; all of them up to the last used one.
_FUNCTIONS = ("error_create", "error_message", "error_destroy", "handler_register", "stream_get",
              "type_register", "context_get", "state_set", "state_get", "memory_allocate",
              "memory_free", "pool_schedule", "pool_threads", "future_create", "future_available",
              "future_error", "run_id_get", "device_ordinal_get")
_Api = _structure("Api", ("version", _Version), ("internal", c_void_p),
                  *((name, c_void_p) for name in _FUNCTIONS))
_Stream = _structure("Stream_Get_Args", ("context", c_void_p), ("stream", c_void_p))
_Ordinal = _structure("DeviceOrdinal_Get_Args", ("context", c_void_p), ("ordinal", ctypes.c_int32))
_Error = _structure("Error_Create_Args", ("message", c_char_p), ("code", c_int))
_Metadata = _structure("Metadata", ("struct_size", c_size_t), ("version", _Version),
                       ("traits", c_uint32), header=False)
_Extension = _structure("Metadata_Extension", ("struct_size", c_size_t), ("type", c_int),
                        ("next", c_void_p), ("metadata", POINTER(_Metadata)), header=False)
_Span = _structure("ByteSpan", ("pointer", c_void_p), ("length", c_size_t), header=False)
_Scalar = _structure("Scalar", ("dtype", c_int), ("value", c_void_p), header=False)
_Buffer = _structure("Buffer", ("dtype", c_int), ("data", c_void_p), ("rank", c_int64),
                     ("dims", POINTER(c_int64)))
_List = _structure("Args", ("size", c_int64), ("types", POINTER(c_int)),
                   ("items", POINTER(c_void_p)))
_Attributes = _structure("Attrs", ("size", c_int64), ("types", POINTER(c_int)),
                         ("names", POINTER(POINTER(_Span))), ("items", POINTER(c_void_p)))
_Frame = _structure("CallFrame", ("api", POINTER(_Api)), ("context", c_void_p), ("stage", c_int),
                    ("arguments", _List), ("results", _List), ("attributes", _Attributes))

_Handler = ctypes.CFUNCTYPE(c_void_p, POINTER(_Frame))
_ErrorCreate = ctypes.CFUNCTYPE(c_void_p, POINTER(_Error))
_Get = ctypes.CFUNCTYPE(c_void_p, c_void_p)


def _text(span: Any) -> str:
    return ctypes.string_at(span.pointer, span.length).decode()


def _array(pointer: int) -> np.ndarray:
    """An array on the memory of an XLA buffer (row-major)."""
    buffer = _Buffer.from_address(pointer)
    dtype = _DTYPES.get(buffer.dtype)
    if dtype is None:
        raise TypeError(f"expected float32, float64, float16 or bfloat16, got XLA's type "
                        f"{buffer.dtype}")
    shape = tuple(buffer.dims[:buffer.rank])
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    if size == 0:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, (ctypes.c_char * size).from_address(buffer.data))


def _decode_attributes(attributes: Any) -> dict[str, Any]:
    """Numbers and strings by name."""
    values: dict[str, Any] = {}
    for i in range(attributes.size):
        name, item = _text(attributes.names[i].contents), attributes.items[i]
        if attributes.types[i] == _ATTRIBUTE_STRING:
            values[name] = _text(_Span.from_address(item))
        elif attributes.types[i] == _ATTRIBUTE_SCALAR:
            scalar = _Scalar.from_address(item)
            values[name] = _SCALARS[scalar.dtype].from_address(scalar.value).value
        else:
            raise TypeError(f"{name}: expected a number or a string")
    return values


def _fail(frame: Any, code: int, message: str) -> int:
    error = _Error(ctypes.sizeof(_Error), None, message.encode(), code)
    return _ErrorCreate(frame.api.contents.error_create)(ctypes.byref(error))


def _device_array(pointer: int) -> Any:
    """The same as `_array` for memory of a device."""
    from ._cuda import Array

    buffer = _Buffer.from_address(pointer)
    dtype = np.dtype(np.uint8) if buffer.dtype == _U8 else _DTYPES.get(buffer.dtype)
    if dtype is None:
        raise TypeError(f"expected float32, float16 or bfloat16, got XLA's type {buffer.dtype}")
    return Array(dtype, tuple(buffer.dims[:buffer.rank]), buffer.data or 0)


def _get(frame: Any, function: str, arguments: Any) -> Any:
    """Asks XLA about the call: stream_get, device_ordinal_get."""
    api = frame.api.contents
    if api.struct_size < getattr(_Api, function).offset + getattr(_Api, function).size:
        raise RuntimeError(f"expected a jaxlib with {function} in its FFI")
    arguments.struct_size, arguments.context = ctypes.sizeof(arguments), frame.context
    if _Get(getattr(api, function))(ctypes.addressof(arguments)):
        raise RuntimeError(f"{function} failed")
    return arguments


def make_handler(function: Callable[..., None], device: bool = False) -> Any:
    """A handler that calls function(arguments, results, attributes) with NumPy arrays.

    The arrays of results are to be written. An exception becomes the error of the XLA program.
    The caller keeps the handler alive.

    With `device`, function(arguments, results, attributes, stream, ordinal) gets arrays in the
    memory of that device, and puts its work into the stream.
    """

    def call(frame: Any) -> None:
        as_array = _device_array if device else _array
        arguments, results = ([as_array(part.items[i]) for i in range(part.size)]
                              for part in (frame.arguments, frame.results))
        more: tuple = ()
        if device:
            more = (_get(frame, "stream_get", _Stream()).stream or 0,
                    _get(frame, "device_ordinal_get", _Ordinal()).ordinal)
        function(arguments, results, _decode_attributes(frame.attributes), *more)

    def handler(frame_pointer: Any) -> int | None:
        frame = frame_pointer.contents
        try:
            if frame.extension_start:
                # XLA asks about the handler when it is registered.
                extension = _Extension.from_address(frame.extension_start)
                if extension.type == _EXTENSION_METADATA:
                    metadata = extension.metadata.contents
                    metadata.version = _Version(ctypes.sizeof(_Version), None, MAJOR, MINOR)
                    metadata.traits = _COMMAND_BUFFERS if device else 0
                    return None
            if frame.stage != _STAGE_EXECUTE:
                return _fail(frame, _INVALID_ARGUMENT,
                             f"lot: expected stage execute, got {frame.stage}")
            call(frame)
        except (TypeError, ValueError) as error:
            return _fail(frame, _INVALID_ARGUMENT, f"lot: {error}")
        except BaseException as error:  # nothing may escape into C
            return _fail(frame, _INTERNAL, f"lot: {type(error).__name__}: {error}")
        return None

    return _Handler(handler)


def register(name: str, handler: Any, platform: str) -> None:
    """Registers a handler with JAX. RuntimeError when XLA does not take it."""
    import jax

    try:
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(ctypes.cast(handler, c_void_p)),
                                    platform=platform)
    except Exception as error:
        raise RuntimeError(f"lot.jax: expected a jaxlib that takes XLA FFI {MAJOR}.{MINOR}, got "
                           f"jaxlib {jax.lib.__version__}: {error}") from error
