"""One line of a thing, and its card in a notebook."""

from kseg.base.shown import LONGEST, MOST_ROWS, card, line, templates


class Thing:
    pass


def test_a_line_is_one_line_and_never_long():
    assert line(Thing(), "two\nlines") == "<Thing: two lines>"
    long = line(Thing(), "word " * 100)
    assert len(long) == LONGEST and long.startswith("<Thing: word word") and long.endswith("...>")
    just = line(Thing(), "x" * (LONGEST - len("<Thing: >")))
    assert len(just) == LONGEST and just.endswith("xx>")


def test_all_text_of_a_card_is_escaped():
    hostile = "<script>'\"&"
    shown = card(
        hostile,
        lines=[hostile],
        headings=[hostile],
        rows=[[hostile, hostile]],
        colors=[[hostile, 0, 0]],
        pictures=[(hostile, hostile)],
    )
    assert "<script" not in shown and shown.count("&lt;script&gt;&#39;&#34;&amp;") == 8


def test_a_long_table_says_how_many_more_rows_there_are():
    shown = card("classes", headings=["id"], rows=[[f"no. {i}"] for i in range(MOST_ROWS + 7)])
    assert f"no. {MOST_ROWS - 1}<" in shown and f"no. {MOST_ROWS}<" not in shown
    assert "and 7 more" in shown
    whole = card("classes", headings=["id"], rows=[[f"no. {i}"] for i in range(MOST_ROWS)])
    assert "more" not in whole


def test_a_card_without_a_table_or_pictures():
    assert card("title").split() == '<div style="line-height: 1.45"> <b>title</b> </div>'.split()


def test_templates_are_read_once():
    assert templates("kseg.base") is templates("kseg.base")
