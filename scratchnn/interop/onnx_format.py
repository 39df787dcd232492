"""The numbers of ONNX's format: which field of which message holds what, and the types of tensors and attributes.

Source: onnx.proto of the ONNX project. What is not read or written here is left out.
"""

from __future__ import annotations

PRODUCER = "scratchnn"  # the name under which files are written here


class ModelField:
    """The fields of a ModelProto, the whole file."""

    IR_VERSION, PRODUCER_NAME, PRODUCER_VERSION, DOC_STRING, GRAPH, OPSETS, METADATA = 1, 2, 3, 6, 7, 8, 14


class OpsetField:
    """The fields of an OperatorSetIdProto: a set of operators and its version."""

    DOMAIN, VERSION = 1, 2


class EntryField:
    """The fields of a StringStringEntryProto."""

    KEY, VALUE = 1, 2


class GraphField:
    """The fields of a GraphProto: nodes in the order in which they are computed, and constants, its initializers."""

    NODES, NAME, INITIALIZERS, INPUTS, OUTPUTS, SPARSE = 1, 2, 5, 11, 12, 15


class NodeField:
    """The fields of a NodeProto: one operator, the names of the values it reads and of those it makes."""

    INPUTS, OUTPUTS, NAME, OPERATOR, ATTRIBUTES, DOC_STRING, DOMAIN = 1, 2, 3, 4, 5, 6, 7


class AttributeField:
    """The fields of an AttributeProto."""

    NAME, FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS, TYPE = 1, 2, 3, 4, 5, 7, 8, 9, 20


class AttributeType:
    """What an attribute holds."""

    FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 6, 7, 8


class TensorField:
    """The fields of a TensorProto."""

    DIMS, TYPE, FLOATS, INT32S, STRINGS, INT64S, NAME, RAW, DOUBLES, EXTERNAL, LOCATION = (
        1,
        2,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        13,
        14,
    )


class TensorType:
    """What a tensor's numbers are."""

    FLOAT, INT32, INT64, STRING, BOOL, DOUBLE = 1, 6, 7, 8, 9, 11


class ValueField:
    """The fields of a ValueInfoProto, of the types inside it, and of a dimension."""

    NAME, TYPE = 1, 2
    TENSOR = 1  # of a TypeProto
    ELEMENT, SHAPE = 1, 2  # of a TypeProto.Tensor
    DIMENSIONS = 1  # of a TensorShapeProto
    SIZE, SYMBOL = 1, 2  # of a Dimension
