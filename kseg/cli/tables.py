"""Scores as tables on a terminal, and the bar while they are computed."""

import contextlib


def evaluated(screen, model, source, **options):
    """`kseg.evaluate` with a bar on a terminal; `options` are its own."""
    from kseg.evaluation.evaluate import evaluate

    with with_bar(screen, f"scoring {source.name}", len(source)) as progress:
        return evaluate(model, source, progress=progress, **options)


@contextlib.contextmanager
def with_bar(screen, text, total):
    """A bar on a terminal; gives the function that is told how much is done."""
    from rich.progress import Progress

    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.update(task, completed=done)


def print_scores(screen, scores):
    """Prints the tables of what `kseg.evaluate` gave, and the lines beside them."""
    for table in scores.tables:
        print_table(screen, table)
    for line in scores.notes:
        screen.print(line, highlight=False, markup=False)


def print_table(screen, table):
    """Prints a `kseg.evaluation.table.Table`."""
    from rich import box
    from rich.table import Table

    drawn = Table(title=table.title or None, box=box.SIMPLE_HEAD)
    for position, heading in enumerate(table.headings):
        drawn.add_column(heading, justify="right" if position else "left")
    for row in table.rows:
        drawn.add_row(*row)
    if table.total:
        drawn.add_section()
        drawn.add_row(*table.total)
    screen.print(drawn)
