"""Run a frozen graph through TensorFlow's C API alone.

Importing TensorFlow and Keras takes several times as long as segmenting an image. A frozen graph does not need them:
the stable C API loads and runs it.

References
----------
``tensorflow/c/c_api.h`` and ``tensorflow/c/tf_tensor.h``, as installed with TensorFlow.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

from ...errors import ModelError
from ...parallel import n_threads
from ..onednn import use_onednn

#: Serialised ConfigProto: allow GPU memory growth, and soft placement of operations on the CPU.
_SETTINGS = b"\x32\x02\x20\x018\x01"
#: Fields 2 and 5: threads within an operation, and of several operations.
_WITHIN, _BETWEEN = b"\x10", b"\x28"

#: Allowed operations. They only compute and have no side effects; graphs with others are refused.
OPERATIONS = frozenset((
    "Add", "AddV2", "AvgPool", "BiasAdd", "Cast", "ClipByValue", "ConcatV2", "Const", "Conv2D",
    "Conv2DBackpropInput", "DepthwiseConv2dNative", "Elu", "Exp", "ExpandDims", "FusedBatchNormV3", "Identity", "LeakyRelu", "Maximum",
    "MaxPool", "Mean", "Minimum", "Mul", "Neg", "NoOp", "Pack", "Pad", "Placeholder", "RealDiv", "Relu", "Relu6",
    "Reshape", "ResizeBilinear", "ResizeNearestNeighbor", "Rsqrt", "Selu", "Shape", "Sigmoid", "Softmax", "Softplus",
    "Squeeze", "StridedSlice", "Sub", "Tanh", "Tile", "Transpose",
))  # fmt: skip

#: More than any machine has processors: a number from the environment is a wish.
_MOST_THREADS = 1 << 12
_FLOAT = 1  # TF_FLOAT
_OK, _EXHAUSTED = 0, 8  # TF_OK, TF_RESOURCE_EXHAUSTED
_NAMES = {"linux": "libtensorflow_cc.so.2", "darwin": "libtensorflow_cc.2.dylib"}


def session_threads() -> int:
    """Threads of a session; 0 where TensorFlow's own environment variable tells them."""
    return 0 if "TF_NUM_INTRAOP_THREADS" in os.environ else min(n_threads(), _MOST_THREADS)


def session_settings() -> bytes:
    """A serialised ConfigProto."""
    threads = session_threads()
    return _SETTINGS + (_WITHIN + _varint(threads) + _BETWEEN + _varint(threads) if threads else b"")


def _varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value < 0x80 else bytes([low | 0x80]) + _varint(value >> 7)


def library_path() -> Path | None:
    """Path of the installed TensorFlow's C library; None if it is missing or incomplete."""
    name = _NAMES.get(sys.platform)
    spec = importlib.util.find_spec("tensorflow") if name else None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return next((path for path in (Path(folder, str(name)) for folder in folders) if path.is_file()), None)


class Library:
    """TensorFlow's C library.

    Parameters
    ----------
    path : Path
        See :func:`library_path`.

    Raises
    ------
    OSError
        If it cannot be loaded.
    AttributeError
        If it lacks a function.
    """

    def __init__(self, path: Path) -> None:
        use_onednn()
        _load_beside_python(path)
        self.functions = ctypes.CDLL(str(path))
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(self.functions, name)
            function.restype, function.argtypes = result, arguments

    @property
    def version(self) -> str:
        """TensorFlow's version."""
        return self.functions.TF_Version().decode()


class Session:
    """A session of TensorFlow, at first without a graph.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library) -> None:
        self._tf = tf = library.functions
        self._graph = tf.TF_NewGraph()
        options = tf.TF_NewSessionOptions()
        try:
            settings = session_settings()
            with _checked(tf) as status:
                tf.TF_SetConfig(options, settings, len(settings), status)
            with _checked(tf) as status:
                self._session = tf.TF_NewSession(self._graph, options, status)
        finally:
            tf.TF_DeleteSessionOptions(options)
        self._input, self._outputs = _Output(), (_Output * 0)()
        weakref.finalize(self, _close, tf, self._session, self._graph)

    def has_gpu(self) -> bool:
        """Whether TensorFlow computes on a GPU here."""
        tf = self._tf
        with _checked(tf) as status:
            devices = tf.TF_SessionListDevices(self._session, status)
        try:
            kinds = []
            for index in range(tf.TF_DeviceListCount(devices)):
                with _checked(tf) as status:
                    kinds.append(tf.TF_DeviceListType(devices, index, status))
        finally:
            tf.TF_DeleteDeviceList(devices)
        return b"GPU" in kinds

    def load(self, graph: bytes, input_name: str, output_names: Sequence[str]) -> None:
        """Load a frozen graph.

        Parameters
        ----------
        graph : bytes
            A serialised GraphDef.
        input_name : str
            Input tensor, such as ``batch:0``; float32.
        output_names : sequence of str
            Output tensors of :meth:`run`; float32.

        Raises
        ------
        ModelError
            If it is no graph, has a forbidden operation, or lacks a tensor.
        """
        tf = self._tf
        buffer, options = tf.TF_NewBufferFromString(graph, len(graph)), tf.TF_NewImportGraphDefOptions()
        try:
            with _checked(tf) as status:
                tf.TF_GraphImportGraphDef(self._graph, buffer, options, status)
        finally:
            tf.TF_DeleteImportGraphDefOptions(options)
            tf.TF_DeleteBuffer(buffer)
        if foreign := sorted(self._operations() - OPERATIONS):
            raise ModelError(f"expected the graph of a network, got one with operations such as {foreign[0]}")
        self._input = self._tensor(input_name)
        self._outputs = (_Output * len(output_names))(*(self._tensor(name) for name in output_names))

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the graph on a batch.

        Parameters
        ----------
        batch : float32 array

        Returns
        -------
        list of float32 arrays
            In the order of ``output_names``.

        Raises
        ------
        MemoryError
            If the device runs out of memory.
        ModelError
            For any other error.
        """
        if not self._outputs:
            raise ModelError("expected a session with a graph, got one without; load one first")
        tf, batch = self._tf, np.ascontiguousarray(batch, np.float32)
        dimensions = (c_int64 * batch.ndim)(*batch.shape)
        given = tf.TF_AllocateTensor(_FLOAT, dimensions, batch.ndim, batch.nbytes)
        if not given:
            raise MemoryError(f"no memory for a network window of shape {batch.shape}")
        outputs = (c_void_p * len(self._outputs))()
        try:
            ctypes.memmove(tf.TF_TensorData(given), batch.ctypes.data, batch.nbytes)
            with _checked(tf, f"a network window of shape {batch.shape}") as status:
                tf.TF_SessionRun(
                    self._session, None, byref(self._input), byref(c_void_p(given)), 1, self._outputs, outputs,
                    len(outputs), None, 0, None, status,
                )  # fmt: skip
        finally:
            tf.TF_DeleteTensor(given)
        return [_as_array(tf, int(output or 0)) for output in outputs]

    def _operations(self) -> set[str]:
        """Operation types of the graph."""
        position, kinds = c_size_t(0), set()
        while operation := self._tf.TF_GraphNextOperation(self._graph, byref(position)):
            kinds.add(self._tf.TF_OperationOpType(operation).decode())
        return kinds

    def _tensor(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        found = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
        if not found or not 0 <= int(index or 0) < self._tf.TF_OperationNumOutputs(found):
            raise ModelError(f"expected a graph with a tensor {name}, got one without")
        output = _Output(found, int(index or 0))
        if self._tf.TF_OperationOutputType(output) != _FLOAT:
            raise ModelError(f"expected float32 for the tensor {name}, got numbers of another type")
        return output


class _Output(Structure):
    """TF_Output: one output of an operation."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


# result, then arguments
_SIGNATURES: dict[str, tuple] = {
    "TF_Version": (c_char_p,),
    "TF_NewStatus": (c_void_p,),
    "TF_DeleteStatus": (None, c_void_p),
    "TF_GetCode": (c_int, c_void_p),
    "TF_Message": (c_char_p, c_void_p),
    "TF_NewBufferFromString": (c_void_p, c_char_p, c_size_t),
    "TF_DeleteBuffer": (None, c_void_p),
    "TF_NewGraph": (c_void_p,),
    "TF_DeleteGraph": (None, c_void_p),
    "TF_NewImportGraphDefOptions": (c_void_p,),
    "TF_DeleteImportGraphDefOptions": (None, c_void_p),
    "TF_GraphImportGraphDef": (None, c_void_p, c_void_p, c_void_p, c_void_p),
    "TF_GraphNextOperation": (c_void_p, c_void_p, POINTER(c_size_t)),
    "TF_GraphOperationByName": (c_void_p, c_void_p, c_char_p),
    "TF_OperationOpType": (c_char_p, c_void_p),
    "TF_OperationNumOutputs": (c_int, c_void_p),
    "TF_OperationOutputType": (c_int, _Output),
    "TF_NewSessionOptions": (c_void_p,),
    "TF_DeleteSessionOptions": (None, c_void_p),
    "TF_SetConfig": (None, c_void_p, c_char_p, c_size_t, c_void_p),
    "TF_NewSession": (c_void_p, c_void_p, c_void_p, c_void_p),
    "TF_CloseSession": (None, c_void_p, c_void_p),
    "TF_DeleteSession": (None, c_void_p, c_void_p),
    "TF_SessionListDevices": (c_void_p, c_void_p, c_void_p),
    "TF_DeviceListCount": (c_int, c_void_p),
    "TF_DeviceListType": (c_char_p, c_void_p, c_int, c_void_p),
    "TF_DeleteDeviceList": (None, c_void_p),
    "TF_SessionRun": (
        None, c_void_p, c_void_p, POINTER(_Output), POINTER(c_void_p), c_int, POINTER(_Output), POINTER(c_void_p), c_int,
        c_void_p, c_int, c_void_p, c_void_p,
    ),
    "TF_AllocateTensor": (c_void_p, c_int, POINTER(c_int64), c_int, c_size_t),
    "TF_DeleteTensor": (None, c_void_p),
    "TF_TensorData": (c_void_p, c_void_p),
    "TF_TensorByteSize": (c_size_t, c_void_p),
    "TF_NumDims": (c_int, c_void_p),
    "TF_Dim": (c_int64, c_void_p, c_int),
}  # fmt: skip


def _load_beside_python(path: Path) -> None:
    """Load a library with the GIL released, so other threads continue; ``ctypes.CDLL`` holds it."""
    try:
        open_library = ctypes.CDLL(None).dlopen
    except (OSError, AttributeError, TypeError):
        return
    open_library.restype, open_library.argtypes = c_void_p, (c_char_p, c_int)
    open_library(bytes(path), 2)  # RTLD_NOW; ctypes reports errors on opening


@contextmanager
def _checked(tf: ctypes.CDLL, what: str = "a network") -> Iterator[int]:
    """A TF_Status argument; raises its error."""
    status = tf.TF_NewStatus()
    try:
        yield status
        code = tf.TF_GetCode(status)
        if code == _EXHAUSTED:
            raise MemoryError(f"the device has no memory for {what}")
        if code != _OK:
            message = tf.TF_Message(status).decode(errors="replace")
            raise ModelError(f"expected TensorFlow to take {what}, got: {' '.join(message.split())[:300]}")
    finally:
        tf.TF_DeleteStatus(status)


def _as_array(tf: ctypes.CDLL, tensor: int) -> np.ndarray:
    """View a float32 tensor as an array without a copy; the array keeps the tensor alive."""
    shape = tuple(tf.TF_Dim(tensor, axis) for axis in range(tf.TF_NumDims(tensor)))
    size = tf.TF_TensorByteSize(tensor)
    if not size:
        tf.TF_DeleteTensor(tensor)
        return np.empty(shape, np.float32)
    memory = (ctypes.c_char * size).from_address(tf.TF_TensorData(tensor))
    weakref.finalize(memory, tf.TF_DeleteTensor, tensor)
    return np.frombuffer(memory, np.float32).reshape(shape)


def _close(tf: ctypes.CDLL, session: int, graph: int) -> None:
    status = tf.TF_NewStatus()
    tf.TF_CloseSession(session, status)
    tf.TF_DeleteSession(session, status)
    tf.TF_DeleteGraph(graph)
    tf.TF_DeleteStatus(status)
