"""all-MiniLM-L6-v2 written as an ONNX graph, from its official weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYERS = 6
HEADS = 12
WIDTH = 384
HEAD_WIDTH = WIDTH // HEADS
OPSET, IR_VERSION = 20, 9
EPSILON = 1e-12


class _Writer:
    """Collects the nodes and constants of a graph; values go by name."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._weights = weights

    def constant(self, name: str, value: Any) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def numbers(self, *values: int) -> str:
        return self.constant(f"numbers{values}", np.array(values, np.int64))

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name])

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def linear(self, value: str, name: str) -> str:
        matrix = self.constant(f"{name}.transposed", self._weights[f"{name}.weight"].T)
        return self.node("Add", self.node("MatMul", value, matrix), self.weight(f"{name}.bias"))

    def normalised(self, value: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", value, scale, bias, axis=-1, epsilon=EPSILON)


def graph(safetensors: bytes) -> onnx.ModelProto:
    """Return the network in 32-bit numbers: `input_ids` to the states of the last layer.

    Args:
        safetensors: content of the official `model.safetensors`.

    Returns:
        A model with an int64 input of shape (texts, tokens), without padding, and a float output of shape
        (texts, tokens, 384).
    """
    from safetensors.numpy import load

    writer = _Writer(load(safetensors))
    state = _embedded(writer)
    for layer in range(LAYERS):
        state = _layer(writer, f"encoder.layer.{layer}", state)
    tokens = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])
    output = helper.make_tensor_value_info(state, TensorProto.FLOAT, ["texts", "tokens", WIDTH])
    network = helper.make_graph(writer.nodes, "minilm", [tokens], [output], list(writer.constants.values()))
    model = helper.make_model(network, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def quantised(model: onnx.ModelProto, target: Path) -> None:
    """Write the network with its matrices and word vectors in 8 bits, scaled per column.

    Args:
        model: what `graph` returned.
        target: the file to write.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def others(record: logging.LogRecord) -> bool:
        return "onnxruntime" not in record.pathname

    # On the root logger it advises to pre-process what needs no pre-processing.
    logging.getLogger().addFilter(others)
    try:
        quantize_dynamic(
            model,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gather"],
        )
    finally:
        logging.getLogger().removeFilter(others)


def _embedded(writer: _Writer) -> str:
    words = writer.node("Gather", writer.weight("embeddings.word_embeddings.weight"), "input_ids")
    length = writer.node("Shape", "input_ids", start=1, end=2)
    table = writer.weight("embeddings.position_embeddings.weight")
    positions = writer.node("Slice", table, writer.numbers(0), length, writer.numbers(0))
    # Every token is of type 0: there are no pairs of texts.
    kind = writer.node(
        "Slice", writer.weight("embeddings.token_type_embeddings.weight"), *map(writer.numbers, (0, 1, 0))
    )
    state = writer.node("Add", writer.node("Add", words, positions), kind)
    return writer.normalised(state, "embeddings.LayerNorm")


def _layer(writer: _Writer, name: str, state: str) -> str:
    attended = _attention(writer, f"{name}.attention", state)
    state = writer.normalised(writer.node("Add", state, attended), f"{name}.attention.output.LayerNorm")
    inner = writer.node("Gelu", writer.linear(state, f"{name}.intermediate.dense"))
    outer = writer.linear(inner, f"{name}.output.dense")
    return writer.normalised(writer.node("Add", state, outer), f"{name}.output.LayerNorm")


def _attention(writer: _Writer, name: str, state: str) -> str:
    def heads(part: str, order: list[int]) -> str:
        split = writer.node(
            "Reshape", writer.linear(state, f"{name}.self.{part}"), writer.numbers(0, 0, HEADS, HEAD_WIDTH)
        )
        return writer.node("Transpose", split, perm=order)

    scores = writer.node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
    scaled = writer.node("Mul", scores, writer.constant("scale", np.float32(HEAD_WIDTH**-0.5)))
    weights = writer.node("Softmax", scaled, axis=-1)
    mixed = writer.node("MatMul", weights, heads("value", [0, 2, 1, 3]))
    joined = writer.node("Reshape", writer.node("Transpose", mixed, perm=[0, 2, 1, 3]), writer.numbers(0, 0, WIDTH))
    return writer.linear(joined, f"{name}.output.dense")
