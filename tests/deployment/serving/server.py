"""Serves an exported model with no Keras and no kseg, over both protocols of TensorFlow Serving.

    python tests/deployment/serving/server.py models/unet/1 [--no-rest]

gRPC by the official stubs of tensorflow-serving-api, REST by kserve's server. The model is loaded
as TensorFlow Serving loads it: a session, which is fed and read by the tensor names of a signature.
When all is ready, the ports go to standard output, `{"grpc": 40001, "rest": 40002}`, on 127.0.0.1.
"""

import argparse
import asyncio
import base64
import json
import os
import socket
import sys
from concurrent import futures
from pathlib import Path

sys.modules["keras"] = sys.modules["kseg"] = None  # an import of them fails
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Served:
    """A SavedModel in a session: `served(signature, inputs)` -> outputs, dicts of NumPy arrays."""

    def __init__(self, folder):
        import tensorflow as tf

        self.name, self.version = folder.parent.name, int(folder.name)
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
        self.signatures = meta.signature_def

    def signature(self, name):
        if name not in self.signatures:
            raise ValueError(f"signature {name!r} is none of {sorted(self.signatures)}")
        return self.signatures[name]

    def __call__(self, name, inputs):
        signature = self.signature(name)
        if set(inputs) != set(signature.inputs):
            raise ValueError(f"inputs {sorted(inputs)}: expected {sorted(signature.inputs)}")
        fed = {signature.inputs[key].name: value for key, value in inputs.items()}
        fetched = {key: tensor.name for key, tensor in signature.outputs.items()}
        return self.session.run(fetched, fed)


def start_grpc(served):
    """Starts PredictionService; returns it and its port."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    class Servicer(service.PredictionServiceServicer):
        def Predict(self, request, context):
            name = request.model_spec.signature_name or "serving_default"
            if name not in served.signatures:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no signature {name!r}")
            inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            response = predict_pb2.PredictResponse(model_spec=self.spec(request, context))
            response.model_spec.signature_name = name
            try:
                outputs = served(name, inputs)
            except (ValueError, tf.errors.OpError) as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            for key in request.output_filter or outputs:
                response.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key]))
            return response

        def GetModelMetadata(self, request, context):
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=served.signatures)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.CopyFrom(self.spec(request, context))
            response.metadata["signature_def"].Pack(signatures)
            return response

        def spec(self, request, context):
            if request.model_spec.name != served.name:
                context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model_spec.name!r}")
            spec = type(request.model_spec)(name=served.name)
            spec.version.value = served.version
            return spec

    server = grpc.server(futures.ThreadPoolExecutor(8), options=ANY_SIZE)
    service.add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def rest_server(served):
    """kserve's REST server of one model."""
    import kserve
    import numpy as np
    import tensorflow as tf
    from kserve.protocol.dataplane import DataPlane
    from kserve.protocol.model_repository_extension import ModelRepositoryExtension
    from kserve.protocol.rest.server import RESTServer

    class Model(kserve.Model):
        async def predict(self, body, headers=None):
            try:
                # like TensorFlow Serving, take JSON for JSON whatever its header calls it
                body = json.loads(body) if isinstance(body, bytes) else body
                name = body.get("signature_name", "serving_default")
                ((key, spec),) = served.signature(name).inputs.items()
                kind = tf.as_dtype(spec.dtype).as_numpy_dtype
                values = np.array([decoded(each, key) for each in body["instances"]], kind)
                outputs = await asyncio.to_thread(served, name, {key: values})
            except (KeyError, ValueError, tf.errors.OpError) as error:
                raise kserve.errors.InvalidInput(str(error)) from error
            rows = zip(*([encoded(key, v) for v in values] for key, values in outputs.items()))
            if len(outputs) == 1:
                return {"predictions": [value for (value,) in rows]}
            return {"predictions": [dict(zip(outputs, row)) for row in rows]}

    def decoded(instance, key):
        if isinstance(instance, dict) and key in instance:
            instance = instance[key]
        if isinstance(instance, dict):
            return base64.b64decode(instance["b64"])
        return instance

    def encoded(key, value):
        if isinstance(value, bytes) and key.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        value = value.tolist() if hasattr(value, "tolist") else value
        return np.char.decode(value, "utf-8").tolist() if is_text(value) else value

    def is_text(value):
        while isinstance(value, list) and value:
            value = value[0]
        return isinstance(value, bytes)

    model = Model(served.name)
    model.load()
    repository = kserve.ModelRepository()
    repository.update(model)
    return RESTServer(
        "kserve.model_server:app", DataPlane(repository), ModelRepositoryExtension(repository), 0
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="NAME/VERSION")
    parser.add_argument("--no-rest", action="store_true", help="gRPC alone, without kserve")
    options = parser.parse_args()
    # kserve reads the command line of whoever imports it
    sys.argv = sys.argv[:1]

    served, ports = Served(options.folder.resolve()), {}
    server, ports["grpc"] = start_grpc(served)
    if options.no_rest:
        print(json.dumps(ports), flush=True)
        server.wait_for_termination()
        return
    listening = socket.create_server(("127.0.0.1", 0))
    ports["rest"] = listening.getsockname()[1]
    rest = rest_server(served)
    print(json.dumps(ports), flush=True)  # connections wait in the socket until it runs
    rest.run(sockets=[listening])


if __name__ == "__main__":
    main()
