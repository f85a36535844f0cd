"""Videos: each frame with what a model says of it, as a video; PyAV, of the extra `video`, reads
and writes them, a frame at a time."""

from pathlib import Path

from kseg.base.atomic import into, replacing
from kseg.base.optional import import_package
from kseg.data.errors import DataError
from kseg.models.contract import part

VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
RATE = 25  # frames a second, of a video that does not say
CODEC, PIXELS = "libx264", "yuv420p"  # which every player knows
QUALITY = "20"  # x264's constant rate factor: lower is better, 18 cannot be told from the original


def is_video(path):
    """Whether a file is a video, by its name."""
    return Path(path).suffix.lower() in VIDEOS


def predict_video(predictor, plan, chosen, drawing, progress=None):
    """Writes a video of overlays; sound is left out.

    Args:
        predictor, plan, chosen, drawing: As of `kseg.prediction.written.write_answer`.
        progress: Called with the share of the frames that is done, where the video says how many.

    Raises:
        ImportError: PyAV is not installed.
        DataError: the video cannot be read.
        ValueError: the model takes other photos than RGB.
    """
    av = import_package("av", "video", "Reading and writing videos")
    _check_model(predictor)
    path = plan.paths["overlay"]
    try:
        source = av.open(str(plan.photo))
    except (av.error.FFmpegError, OSError) as error:
        raise _unreadable(plan.photo, error) from error
    with source, replacing(path) as temporary, into(path):
        stream = next(iter(source.streams.video), None)
        if stream is None:
            raise _unreadable(plan.photo, "it holds no pictures")
        with av.open(str(temporary), "w", format="mp4") as target:
            _draw_frames(av, predictor, plan.photo, source, stream, target, chosen, progress)


def _draw_frames(av, predictor, photo, source, stream, target, chosen, progress):
    drawn, written = part("kseg.pictures", predictor), None
    names, colors = predictor.class_names, predictor.colors
    number = 0
    try:
        for frame in source.decode(stream):
            image = frame.to_ndarray(format="rgb24")
            found = predictor.answer(image, **chosen)
            shown = drawn.predicted(image, found, names, colors, predictor.void)
            if written is None:
                written = _stream(target, stream, image.shape)
            even = shown[: shown.shape[0] // 2 * 2, : shown.shape[1] // 2 * 2]
            picture = av.VideoFrame.from_ndarray(even, format="rgb24")
            picture.pts = number
            target.mux(written.encode(picture))
            number += 1
            if progress is not None and stream.frames:
                progress(min(number / stream.frames, 1.0))
    except av.error.InvalidDataError as error:
        raise _unreadable(photo, error) from error
    if written is None:
        raise _unreadable(photo, "it holds no frame")
    target.mux(written.encode())


def _stream(target, stream, shape):
    """Where frames go: at the rate of those that were read, with even sides, as its codec asks."""
    written = target.add_stream(CODEC, rate=stream.average_rate or RATE)
    written.height, written.width = (side // 2 * 2 for side in shape[:2])
    written.pix_fmt, written.options = PIXELS, {"crf": QUALITY}
    return written


def _check_model(predictor):
    from kseg.base.arguments import refused

    if predictor.channels != 3 or predictor.value_range is not None:
        found = f"{predictor.channels} channels of {predictor.value_range or (0, 255)}"
        remedy = "Predict its frames as photos."
        raise refused("model", found, "a model of RGB of 0..255, which videos have", remedy)


def _unreadable(path, why):
    message = f"{str(path)!r} cannot be read as a video ({why})."
    return DataError("unreadable", path, message, "Replace or remove the file.")
