"""Views: a record in, a figure or a widget's data out. In a notebook: `from components import heatmap`."""

from components.heatmap import heatmap

__all__ = ["heatmap"]
