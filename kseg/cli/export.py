"""`kseg export`: writes a model for a server, or in another format, compared with the model."""

from kseg.cli.options import add_data_options, data_spec, given, integer_pair, names, size

HELP = "Write a model for a server, or in another format; checked."
OPTIONS = (
    "name",
    "version",
    "signatures",
    "resize",
    "max_pixels",
    "overlay",
    "tile",
    "overlap",
    "min_score",
    "threshold",
    "shape",
    "precision",
    "samples",
    "tolerance",
    "max_drop",
)


def add_arguments(parser):
    parser.add_argument("run", help="run folder or .keras file")
    parser.add_argument("path", help="folder for SavedModels (PATH/NAME/VERSION); else the file")
    parser.add_argument(
        "--format", choices=("saved_model", "onnx", "litert", "openvino"), default="saved_model"
    )
    parser.add_argument("--data", help="to compare on, as for fit; default: the run's own")
    parser.add_argument("--split", default="val", help="train, val or test (%(default)s)")
    for name, kind, text in (
        ("samples", int, "how many photos to compare on (8)"),
        ("tolerance", float, "share of results that may differ (by precision)"),
        ("max-drop", float, "by how much the mean IoU may fall (0.01)"),
        ("name", str, "SavedModel: name it is served under (the model's)"),
        ("version", int, "SavedModel: (the next)"),
        ("signatures", names, "SavedModel: names, comma-separated, e.g. with tiled or logits"),
        ("resize", integer_pair, "SavedModel: SHORTEST,LONGEST side for the network (as they are)"),
        ("max-pixels", int, "SavedModel: larger photos are refused (50000000)"),
        ("tile", int, "SavedModel: side of a tile of `tiled` (512)"),
        ("overlap", int, "SavedModel: what a tile shares with the next (128)"),
        ("min-score", float, "of objects (0.5)"),
        ("threshold", float, "of masks of objects (0.5)"),
        ("shape", size, "HEIGHTxWIDTH that another format takes (any)"),
    ):
        parser.add_argument(f"--{name}", type=kind, help=text)
    parser.add_argument("--overlay", choices=("jpeg", "png"), help="SavedModel: of overlays (jpeg)")
    parser.add_argument(
        "--precision", choices=("float32", "float16", "int8"), help="of another format (float32)"
    )
    add_data_options(parser)


def run(options):
    from kseg.deployment.export import export

    source = data_spec(options).open(options.split) if options.data else None
    chosen = given(options, OPTIONS)
    exported = export(options.run, options.path, options.format, source=source, **chosen)
    if options.format == "saved_model":
        base = exported.path.parent.resolve()
        print(
            f"tensorflow_model_server --rest_api_port=8501 --model_name={base.name} "
            f"--model_base_path={base}"
        )
