"""What an experiment of `reproduce` came to: in sections, as a page, as JSON, and drawn."""

from mnist_edge.report.reproduce.page import page as page
from mnist_edge.report.reproduce.page import plots as plots
from mnist_edge.report.reproduce.page import sections as sections
from mnist_edge.report.reproduce.to_json import values as values
