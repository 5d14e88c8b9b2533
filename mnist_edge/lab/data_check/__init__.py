"""What is wrong with a data set: duplicates, labels that are probably wrong, and whether more
pictures would help."""

from mnist_edge.lab.data_check.check import check
from mnist_edge.lab.data_check.out_of_fold import CheckPlan

__all__ = ["CheckPlan", "check"]
