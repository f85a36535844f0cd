"""Pictures in rows and columns under titles, and a legend of classes. All pictures are Pillow's."""

from PIL import Image, ImageDraw, ImageFont

from kseg.base.colors import INK, PAPER


def scaled(panel, width):
    """An array, uint8 `(H, W, 3)`, as a picture of that width; its shape stays."""
    image = Image.fromarray(panel)
    return image.resize((width, max(1, round(image.height * width / image.width))))


def grid(rows, titles, width, gap=6, header=24):
    """One picture of many, each row as high as its highest.

    Args:
        rows: Lists of pictures, all `width` wide.
        titles: One for each column.
        width: Of a column in pixels.
        gap: Pixels between pictures.
        header: Height of the line of titles in pixels.
    """
    heights = [max(panel.height for panel in row) for row in rows]
    size = (len(titles) * (width + gap) + gap, header + sum(heights) + gap * len(rows))
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    for column, title in enumerate(titles):
        draw.text((gap + column * (width + gap), 4), title, INK, ImageFont.load_default(15))
    y = header
    for row, height in zip(rows, heights):
        for column, panel in enumerate(row):
            picture.paste(panel, (gap + column * (width + gap), y))
        y += height + gap
    return picture


def legend(names, colors, width, row=22):
    """Names after their colours, in as many lines as the width asks for.

    Args:
        names, colors: Of each class; RGB, 0..255.
        width: Of the picture in pixels.
        row: Height of a line in pixels.
    """
    font = ImageFont.load_default(14)
    places, x, y = [], 8, 4
    for name in names:
        needed = 34 + int(font.getlength(name))
        if x + needed > width and x > 8:
            x, y = 8, y + row
        places.append((x, y))
        x += needed
    picture = Image.new("RGB", (width, y + row + 4), PAPER)
    draw = ImageDraw.Draw(picture)
    for (x, y), name, color in zip(places, names, colors):
        draw.rectangle((x, y + 2, x + 16, y + 16), fill=tuple(color), outline=INK)
        draw.text((x + 22, y), name, INK, font)
    return picture


def stack(upper, lower):
    """Two pictures, one above the other, as wide as the upper."""
    picture = Image.new("RGB", (upper.width, upper.height + lower.height), PAPER)
    picture.paste(upper, (0, 0))
    picture.paste(lower, (0, upper.height))
    return picture
