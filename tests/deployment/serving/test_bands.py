"""Files of any bands and range in a graph: to the bit what `kseg.predict` reads, or refused."""

import io

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.data.errors import DataError
from kseg.data.images import image_array
from kseg.deployment.saved_model import photos
from kseg.deployment.saved_model.compare import npy, png
from kseg.deployment.saved_model.encoded import Encoded, stretched
from kseg.pictures.image import as_rgb

pytestmark = pytest.mark.backends("tensorflow", reason="a graph without Keras in it")
SIZE = (11, 14)
RANGES = {"bytes": None, "12 bits": (0, 4095), "small": (0.0, 200.0), "floats": (-30.0, 5000.0)}


def of_pillow(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def numbers(bands, high, kind):
    values = np.random.default_rng(bands).integers(0, high + 1, (*SIZE, bands))
    return values.astype(kind)


def files():
    """dict of name -> bytes: what people send, whatever a model takes."""
    photo = Image.fromarray(numbers(3, 190, "uint8"))
    alpha = Image.fromarray(numbers(4, 190, "uint8"))
    made = {
        "photo.jpg": of_pillow(photo, "JPEG", quality=90),
        "grey.jpg": of_pillow(photo.convert("L"), "JPEG", quality=90),
        "cmyk.jpg": of_pillow(photo.convert("CMYK"), "JPEG", quality=90),
        "palette.png": of_pillow(photo.quantize(9)),
        "bit.png": of_pillow(photo.convert("1")),
        "grey.png": of_pillow(photo.convert("L")),
        "grey_alpha.png": of_pillow(alpha.convert("LA")),
        "rgb.png": of_pillow(photo),
        "rgba.png": of_pillow(alpha),
    }
    for bands in (1, 2, 3, 4):
        made[f"deep{bands}.png"] = png(numbers(bands, 4095, "uint16"))
        made[f"deepest{bands}.png"] = png(numbers(bands, 65535, "uint16"))
    for bands in (1, 2, 3, 4, 5, 13):
        for kind, high in (("uint8", 255), ("uint16", 4095), ("float32", 900)):
            made[f"{kind}_{bands}.npy"] = npy(numbers(bands, high, kind))
    made["flat.npy"] = npy(numbers(1, 200, "uint8")[..., 0])
    made["transposed.npy"] = npy(numbers(3, 200, "uint8").transpose(1, 0, 2))
    made["nan.npy"] = npy(np.full((*SIZE, 1), np.nan, "float32"))
    made["unit.npy"] = npy(np.random.default_rng(0).random((*SIZE, 1), "float32"))
    return made


FILES = files()


def asked(contents, encoded):
    """What a graph sees of each file: an array, or None; and its status."""
    import tensorflow as tf

    def request(contents):
        def answer(images):
            texts = tf.map_fn(tf.io.serialize_tensor, images, fn_output_signature=tf.string)
            return {"bytes": texts}

        empty = {"bytes": tf.fill(tf.shape(contents), "")}
        return photos.answered(contents, empty, answer, 10_000, encoded)[0]

    served = tf.function(request, [tf.TensorSpec((None,), tf.string)], autograph=False)
    results = served(tf.constant(contents))
    return [
        (tf.io.parse_tensor(text, encoded.kind).numpy() if text else None, status.decode())
        for text, status in zip(results["bytes"].numpy(), results["status"].numpy())
    ]


def read(path, encoded):
    try:
        return image_array(path, encoded.channels, value_range=encoded.value_range)
    except (DataError, ValueError):
        return None


# What a graph refuses though `kseg.predict` makes something of it: grey repeated as bands, colours
# mixed in another range, arrays of another type.
MORE = {
    (1, "bytes"): {"uint8_3.npy"},
    (1, "12 bits"): {"deep3.png", "uint16_3.npy"},
}
TAKEN = {  # of each model at least these
    (1, "bytes"): {"photo.jpg", "cmyk.jpg", "rgba.png", "deep2.png", "uint8_1.npy", "flat.npy"},
    (3, "bytes"): {"photo.jpg", "grey.jpg", "palette.png", "deep4.png", "uint8_3.npy"},
    (4, "bytes"): {"rgba.png", "grey_alpha.png", "deep4.png", "deepest2.png", "uint8_4.npy"},
    (1, "12 bits"): {"deep1.png", "deep2.png", "uint16_1.npy"},
    (3, "12 bits"): {"deep1.png", "deep3.png", "deep4.png", "uint16_3.npy"},
    (4, "12 bits"): {"deep4.png", "uint16_4.npy"},
    (3, "small"): {"photo.jpg", "grey.png", "rgba.png", "palette.png"},
    (1, "small"): {"grey.png", "grey_alpha.png"},
    (3, "floats"): {"deep3.png", "float32_3.npy"},
    (1, "floats"): {"deep1.png", "float32_1.npy"},
    (2, "12 bits"): {"uint16_2.npy"},
    (5, "12 bits"): {"uint16_5.npy"},
    (13, "floats"): {"float32_13.npy"},
    (13, "bytes"): {"uint8_13.npy"},
}


@pytest.mark.few("3-bytes", "1-12 bits", "4-bytes", "5-12 bits", "13-floats")
@pytest.mark.parametrize(("channels", "name"), TAKEN)
def test_files_are_read_to_the_bit_or_refused(tmp_path, channels, name):
    encoded = Encoded(channels, RANGES[name])
    found = dict(zip(FILES, asked(list(FILES.values()), encoded)))
    taken, refused = set(), set()
    for file, (image, status) in found.items():
        path = tmp_path / file
        path.write_bytes(FILES[file])
        expected = read(path, encoded)
        if status == "ok":
            taken.add(file)
            assert expected is not None, file
            np.testing.assert_array_equal(image, expected.astype(encoded.kind), err_msg=file)
        else:
            assert image is None and status.startswith("unsuitable: "), (file, status)
            refused |= {file} if expected is not None else set()
    assert taken >= TAKEN[channels, name], (TAKEN[channels, name] - taken, taken)
    assert refused >= MORE.get((channels, name), set())


def test_what_is_wrong_is_said():
    """By the status, with what the model takes."""
    ranged = Encoded(3, (0, 4095))
    statuses = {
        name: status
        for name, (_, status) in zip(FILES, asked(list(FILES.values()), ranged))
        if status != "ok"
    }
    said = "unsuitable: expected PNG of 16 bits or .npy of uint16 (height, width, 3)"
    assert statuses["photo.jpg"] == statuses["uint8_3.npy"] == said
    assert statuses["deepest3.png"] == "unsuitable: numbers beyond 0..4095"
    words = {
        (1, None): "JPEG, PNG or .npy of uint8 (height, width, 1)",
        (4, None): "PNG of RGBA or .npy of uint8 (height, width, 4)",
        (1, (0, 4095)): "PNG of grey of 16 bits or .npy of uint16 (height, width, 1)",
        (2, None): ".npy of uint8 (height, width, 2)",
        (5, (-1.0, 1.0)): ".npy of float32 (height, width, 5)",
    }
    for own, text in words.items():
        assert Encoded(*own).words == text


def test_damaged_arrays_have_a_status():
    encoded, whole = Encoded(5, (0, 4095)), FILES["uint16_5.npy"]
    contents = [whole, whole[:-1], whole[:60], whole[:9], whole[:6], whole + b"more", whole[1:]]
    huge = whole.replace(b"(11, 14, 5)", b"(99999, 99999, 5)")
    contents += [huge, whole.replace(b"<u2", b">u2"), whole.replace(b"False", b"True ")]
    statuses = [status.split(":")[0] for _, status in asked(contents, encoded)]
    unsuitable = ["unsuitable"] * 2
    assert statuses == [
        *("ok", "damaged", "unsuitable", "unsuitable"),
        *("neither JPEG nor PNG nor .npy", "damaged", "neither JPEG nor PNG nor .npy"),
        *("too large", *unsuitable),
    ]


@pytest.mark.parametrize("bands", [None, (4, 2, 0), (3,)])
def test_pictures_of_other_bands_are_those_of_kseg(bands):
    image = numbers(5, 4095, "uint16")
    for encoded, own in ((Encoded(5, (0, 4095)), image), (Encoded(5), image.astype("uint8"))):
        shown = encoded.picture(own[None], bands).numpy()[0]
        expected = as_rgb(own, bands, encoded.value_range)
        assert np.abs(shown.astype(int) - expected).max() <= 1  # a rounding of the percentiles
        assert (shown != expected).mean() < 0.01
    dark = np.zeros((1, 3, 4, 1), "float32")
    assert (stretched(dark).numpy() == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "name", "kind"),
    [
        pytest.param(1, "bytes", "grey.jpg", marks=pytest.mark.slow),
        (5, "12 bits", "uint16_5.npy"),
    ],
)
def test_an_export_takes_them(tmp_path, channels, name, kind):
    """Masks of `image_bytes` and of `tiled` are those of `kseg.predict`, on files of the kind."""
    import tensorflow as tf

    model = kseg.build_unet(
        3,
        input_shape=(None, None, channels),
        value_range=RANGES[name],
        width=4,
        depth=1,
        compile=False,
    )
    names = ("serving_default", "image_bytes", "overlay", "tiled")
    options = kseg.SavedModelOptions(signatures=names, tile=64, overlap=32)
    made = kseg.export(model, tmp_path / "served", options, samples=1, verbose=False)
    assert list(made.comparison.offered) == list(names)
    path = tmp_path / kind
    path.write_bytes(FILES[kind])
    served = tf.saved_model.load(str(made.path)).signatures
    for signature in ("image_bytes", "tiled"):
        answer = served[signature](image_bytes=tf.constant([path.read_bytes(), b"junk"]))
        mask = Image.open(io.BytesIO(answer["mask_bytes"][0].numpy()))
        np.testing.assert_array_equal(np.asarray(mask), kseg.predict(model, path))
        assert answer["status"][0] == b"ok" and answer["mask_bytes"][1] == b""
    drawn = served["overlay"](image_bytes=tf.constant([path.read_bytes()]))["overlay_bytes"][0]
    assert Image.open(io.BytesIO(drawn.numpy())).size == SIZE[::-1]
