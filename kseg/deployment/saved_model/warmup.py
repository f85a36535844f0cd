"""Requests that TensorFlow Serving replays when it loads a model, so that no client waits for it.

They lie in `assets.extra/tf_serving_warmup_requests`, TFRecords of `PredictionLog`
(tensorflow_serving/apis/prediction_log.proto). Those few messages are put together here by hand:
the package that defines them, tensorflow-serving-api, would be a dependency for five fields.
"""

from kseg.base.tensorflow import tensorflow

NAME = "tf_serving_warmup_requests"


def write(folder, model_name, requests):
    """Writes the warm-up file of a SavedModel.

    Args:
        folder: `assets.extra` of the SavedModel.
        model_name: Name under which it is served.
        requests: Pairs of a signature's name and a dict of its inputs, as NumPy arrays.
    """
    tf = tensorflow()
    with tf.io.TFRecordWriter(str(folder / NAME)) as writer:
        for signature, inputs in requests:
            writer.write(_prediction_log(model_name, signature, inputs))


def _prediction_log(model_name, signature, inputs):
    tf = tensorflow()
    spec = _field(1, model_name.encode()) + _field(3, signature.encode())  # ModelSpec
    request = _field(1, spec)  # PredictRequest: model_spec, then a map of inputs
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(2, _field(1, name.encode()) + _field(2, tensor))
    return _field(6, _field(1, request))  # PredictionLog.predict_log, PredictLog.request


def _field(number, content):
    """A length-delimited field of a protocol buffer."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value):
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
