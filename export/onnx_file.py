"""Finishes an ONNX model: card and digest inside, and its half-precision form."""

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from edgeclf.runtime.errors import GateError, first_line
from edgeclf.runtime.model.card import CARD_KEY, ModelCard
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest


def half_precision(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights and arithmetic in half precision. Input and output keep their types."""
    return convert_float_to_float16(proto, keep_io_types=True)


def pack(proto: onnx.ModelProto, card: ModelCard) -> bytes:
    """A self-contained file with card and digest inside, validated by onnx. Raises GateError."""
    standard = [opset for opset in proto.opset_import if not opset.domain]
    proto.ir_version = onnx.helper.find_min_ir_version_for(standard)
    onnx.helper.set_model_props(proto, {CARD_KEY: card.to_json(), DIGEST_KEY: BLANK_DIGEST})
    try:
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # the errors of checker and shape inference share no base class
        raise GateError(f"the ONNX model is not valid ({first_line(error)})") from None
    return embed_digest(proto.SerializeToString())
