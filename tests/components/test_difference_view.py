"""Two versions of a text as one."""

from components.difference_view import difference_view


def test_what_was_removed_and_added_is_marked_and_nothing_is_markup():
    view = difference_view([["Rain <b>fell</b> ", "", ""], ["", "all ", "one & only "], ["night.", "", ""]])
    shown = "Rain &lt;b&gt;fell&lt;/b&gt; <del>all </del> <ins>one &amp; only </ins>night."
    assert view == f"<p class='difference' dir='auto'>{shown}</p>"


def test_what_only_came_or_went_stands_alone():
    assert difference_view([["", "", "new "]]) == "<p class='difference' dir='auto'><ins>new </ins></p>"
    assert difference_view([["", "old ", ""]]) == "<p class='difference' dir='auto'><del>old </del></p>"
