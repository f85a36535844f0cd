"""Scores as tables on a terminal, and the bar while they are computed."""


def evaluated(screen, model, source, **options):
    """`kseg.evaluate` with a bar on a terminal; `options` are its own."""
    from rich.progress import Progress

    from kseg.evaluation.evaluate import evaluate

    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(f"scoring {source.name}", total=len(source))
        return evaluate(
            model, source, progress=lambda done: bar.update(task, completed=done), **options
        )


def print_scores(screen, model, source, scores):
    """Prints the tables of what `kseg.evaluate` gave, and the lines beside them."""
    from kseg.models.contract import part

    scoring = part("kseg.evaluation", model)
    for table in scoring.tables(source, scores):
        print_table(screen, table)
    for line in scoring.notes(scores):
        screen.print(line, highlight=False)


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
