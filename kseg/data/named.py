"""A data set named on the command line: `camvid:PATH`, `folder:PATH`, `shapes`."""

import dataclasses
from pathlib import Path

from kseg.data.camvid import camvid
from kseg.data.folder import folder
from kseg.data.shapes import shapes

KINDS = ("camvid:PATH", "folder:PATH", "shapes")


@dataclasses.dataclass(frozen=True)
class Named:
    """How a data set was named, kept in the run folder so that later commands find it again.

    Args:
        spec: `"camvid:PATH"`, `"folder:PATH"` (with `PATH/images` and `PATH/masks`) or `"shapes"`.
        classes: Class names for `folder`; None to read `PATH/classes.txt`, one name a line.
        values: The mask value of each class for `folder`; None for 0, 1, 2, ...
        val_fraction: Share of `folder` held out for validation.
    """

    spec: str
    classes: tuple[str, ...] | None = None
    values: tuple[int, ...] | None = None
    val_fraction: float = 0.2

    def open(self, split, probe=True):
        """Opens the split `"train"`, `"val"` or, where the set has one, `"test"`.

        Args:
            split: Its name.
            probe: Whether `folder` looks into a few masks first; see there.

        Raises:
            FileNotFoundError, ValueError: as the reader does, or for an unknown name.
        """
        kind, _, path = self.spec.partition(":")
        if kind == "shapes" and not path:
            return shapes(split)
        if kind == "camvid" and path:
            return camvid(path, split)
        if kind == "folder" and path:
            root = Path(path).expanduser()
            if not root.is_dir():
                raise FileNotFoundError(
                    f"{str(root)!r} does not exist: expected a folder that holds images and masks."
                )
            return folder(
                root / "images",
                root / "masks",
                self.classes or _class_names(root / "classes.txt"),
                values=self.values,
                split=split,
                val_fraction=self.val_fraction,
                name=f"folder:{root.name}",
                probe=probe,
            )
        raise ValueError(f"data {self.spec!r}: expected one of {', '.join(KINDS)}.")


def _class_names(path):
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(path)!r} does not exist. Write the class names there, one a line in the order "
            "of their ids, or give --classes background,cell,..."
        )
    return tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
