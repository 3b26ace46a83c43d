"""Markdown tables."""

from robgan_tf.reporting.markdown import table


def test_a_table():
    rows = (row for row in (["a", "1"], ["", "2"]))
    assert table(["name", "value"], rows) == [
        "| name | value |",
        "|---|---|",
        "| a | 1 |",
        "| | 2 |",
    ]


def test_a_bar_or_a_line_break_of_a_name_ends_no_cell():
    assert table(["class"], [["a|b"], ["c\nd"]])[2:] == ["| a\\|b |", "| c d |"]
