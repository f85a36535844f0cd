"""Colours: of classes, of single objects, and of what surrounds them in pictures and charts."""

INK, PAPER = (30, 30, 30), (255, 255, 255)
NOT_SCORED = (120, 120, 120)  # void, and crowds of objects
GRID = (225, 225, 225)


def default_colors(count):
    """`count` distinct colours: the Pascal VOC palette, bit-reversed counting in three channels.

    >>> default_colors(3)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    """
    colors = []
    for index in range(count):
        rgb = [0, 0, 0]
        for bit in range(8):  # three bits of the index at a time, most significant output first
            for channel in range(3):
                rgb[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colors.append(tuple(rgb))
    return tuple(colors)


def object_colors(crowd):
    """A colour for each object; grey for a crowd, which is no object of its own.

    Args:
        crowd: bool `(N,)`.

    Returns:
        List of N colours, RGB 0..255.

    Example:

    >>> object_colors([False, True])
    [(188, 60, 60), (120, 120, 120)]
    """
    # lifted, so that boxes show on dark photos; greys are of crowds alone
    colors = [
        tuple(min(255, value + 60) for value in color)
        for color in default_colors(2 * len(crowd) + 2)
        if len(set(color)) > 1
    ]
    return [NOT_SCORED if many else color for many, color in zip(crowd, colors)]
