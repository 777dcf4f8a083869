from __future__ import annotations

from xml.etree import ElementTree

from components.runs_table import runs_table


def test_what_differs_is_marked_and_nothing_is_read_as_markup():
    table = ElementTree.fromstring(runs_table(["Kept", "This <one>"], [("Task", "Fuse", "Fuse"), ("Text", "<b>", "&")]))
    assert ["".join(cell.itertext()) for cell in table.iter("th")] == ["", "Kept", "This <one>", "Task", "Text"]
    assert [cell.text for cell in table.iter("td")] == ["Fuse", "Fuse", "<b>", "&"]
    assert [cell.text for cell in table.iter("td") if cell.get("class") == "differs"] == ["<b>", "&"]
