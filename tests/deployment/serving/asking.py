"""Clients of TensorFlow Serving's two protocols, as its documentation writes them."""

import base64
import json
import time
import urllib.request

START = 120  # seconds that a server may take
ANY_SIZE = [("grpc.max_receive_message_length", -1)]  # the client's limit is 4 MB otherwise


def wait_until_loaded(channel, process, log):
    """Returns when a server knows the model; fails with the server's log if it never will."""
    import grpc

    for _ in range(START):
        try:
            return metadata(channel)
        except grpc.RpcError as error:
            last = error
        if process.poll() is not None:
            break
        time.sleep(1)
    raise AssertionError(f"{last}\nThe server's log:\n{log.read_text()}")


def metadata(channel):
    """The signatures that a server names."""
    from tensorflow_serving.apis import get_model_metadata_pb2 as pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    request = pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tiny"
    response = service.PredictionServiceStub(channel).GetModelMetadata(request, timeout=START)
    signatures = pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return signatures.signature_def


def by_grpc(channel, signature, values, name="tiny"):
    """Asks over gRPC, as the official client does: a list of dicts, one of each photo."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    key = "images" if signature == "serving_default" else "image_bytes"
    request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
    response = service.PredictionServiceStub(channel).Predict(request, timeout=START)
    outputs = {key: tf.make_ndarray(value) for key, value in response.outputs.items()}
    rows = [dict(zip(outputs, row)) for row in zip(*outputs.values(), strict=True)]
    return [{**row, "status": row["status"].decode()} if "status" in row else row for row in rows]


def by_rest(port, signature, values, name="tiny"):
    """Asks over REST: the same list."""
    instances = [
        {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value.tolist()
        for value in values
    ]
    body = json.dumps({"signature_name": signature, "instances": instances}).encode()
    url = f"http://127.0.0.1:{port}/v1/models/{name}:predict"
    with urllib.request.urlopen(url, body, timeout=START) as response:
        rows = json.load(response)["predictions"]
    return [{key: decoded(value) for key, value in row.items()} for row in rows]


def decoded(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value
