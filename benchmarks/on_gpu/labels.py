"""Models that label pixels: training and prediction, beside segmentation_models.pytorch."""

import numpy as np

from on_gpu.device import CLASSES, photos, seconds

POLICIES = {
    "float32": "float32",
    "tf32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}
MODELS = {"unet": {}, "deeplabv3plus": {"separable": True}}
PRECISIONS = ("bfloat16", "tf32", "float16", "float32")
MODES = {
    "torch": {"": PRECISIONS, "cudnn.benchmark": PRECISIONS[:2], "jit_compile": PRECISIONS[:1]},
    "peer": {"": PRECISIONS, "channels-last": PRECISIONS, "compiled": PRECISIONS[:2]},
    "jax": {"": PRECISIONS},
}


def parts(who, tiny):
    """What is measured in processes of their own: model, precision and the way to run."""
    return [
        f"{name} {precision} {mode}".strip()
        for mode, precisions in MODES.get(who, MODES["jax"]).items()
        for precision in (("bfloat16",) if tiny else precisions)
        for name in MODELS
    ]


def compiles(who, part):
    """Whether compiling takes longer than all else."""
    return who == "jax" or part.endswith("compile") or part.endswith("compiled")


def models(who, device, tiny, part):
    """Rows of training steps and predictions."""
    side, batch, count = (32, 2, 1) if tiny else (512, 16, 9)
    name, precision, mode = (*part.split(), "")[:3]
    images = photos(batch, side, side)
    labels = np.random.default_rng(1).integers(0, CLASSES, (batch, side, side))
    device.allow_tf32(precision == "tf32")
    if who == "peer":
        steps, operations = peer(name, images, labels, precision, mode), None
    else:
        steps, operations = ours(name, images, labels, precision, mode, device)
    row = {"case": part}
    for kind, step, times in zip(("train", "predict"), steps, (3, 1)):
        device.forget_peak()
        took = seconds(device, step, count)
        row |= {f"{kind} ms": 1000 * took, f"{kind} images/s": batch / took}
        if operations and device.peak(precision):
            row[f"{kind} share of peak"] = operations * times / took / device.peak(precision)
        row[f"{kind} GB"] = device.gigabytes()
    yield row


def ours(name, images, labels, precision, mode, device):
    """A model of kseg: its two steps, and the operations of a prediction."""
    from kseg.prediction.semantic import labels_on_batch

    if device.backend == "torch":
        import torch

        torch.backends.cudnn.benchmark = mode == "cudnn.benchmark"
    network = built(name, POLICIES[precision])
    compile_with_adamw(network, jit_compile=True if mode == "jit_compile" else "auto")
    x, y = device.put(images), device.put(labels)
    steps = (
        lambda: network.train_on_batch(x, y),
        lambda: labels_on_batch(network, images),
    )
    return steps, convolved_operations(network, images.shape)


def compile_with_adamw(network, jit_compile="auto"):
    import kseg
    from kseg.models.optimizer import AdamW

    network.compile(AdamW(1e-3), loss=kseg.CrossEntropyLoss(), jit_compile=jit_compile)


def built(name, policy="float32"):
    import keras

    import kseg

    keras.config.set_dtype_policy(policy)
    try:
        return getattr(kseg, f"build_{name}")(
            CLASSES, encoder="torchvision:resnet18", compile=False, **MODELS[name]
        )
    finally:
        keras.config.set_dtype_policy("float32")


def convolved_operations(model, shape):
    """Multiplications and additions of a model's convolutions, for images of a shape."""
    import keras

    from kseg.models.graph import flattened, nodes_of

    model = flattened(model)
    nodes = [node for node in nodes_of(model) if hasattr(node.operation, "kernel_size")]
    outputs = [node.outputs[0] for node in nodes]
    probe = keras.KerasTensor(shape)
    specs = keras.tree.flatten(keras.Model(model.input, outputs).compute_output_spec(probe))
    total = 0
    for node, spec in zip(nodes, specs):
        layer, places = node.operation, int(np.prod(spec.shape[:3]))
        total += 2 * places * int(np.prod(layer.kernel.shape)) // strides_up(layer)
    return total


def strides_up(layer):
    """By what a transposed convolution has more places than kernels' multiplications."""
    import keras

    up = isinstance(layer, keras.layers.Conv2DTranspose)
    return int(np.prod(layer.strides)) if up else 1


def peer(name, images, labels, precision, mode):
    """The two steps of segmentation_models.pytorch: as it is, channels-last, or compiled."""
    import torch
    from models import peer_network

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = bool(mode)
    kind = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    layout = torch.channels_last if mode else torch.contiguous_format
    network = peer_network(name).to(device, memory_format=layout)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=device == "cuda")
    scaler = torch.amp.GradScaler(device, enabled=precision == "float16")
    call = torch.compile(network) if mode == "compiled" else network
    labels = torch.as_tensor(labels, device=device)

    def logits(images):
        x = torch.as_tensor(images, device=device).permute(0, 3, 1, 2).float()
        x = ((x / 255 - 0.45) / 0.225).to(memory_format=layout)
        with torch.autocast(device, kind or torch.bfloat16, enabled=kind is not None):
            return call(x).float()

    on_device = torch.as_tensor(images, device=device)

    def train():
        network.train()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits(on_device), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    def predict():
        network.eval()
        with torch.no_grad():
            return logits(images).argmax(1).to(torch.uint8).cpu().numpy()

    return train, predict
