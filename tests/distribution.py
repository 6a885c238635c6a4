"""Which tests run in one process: those of a file, and those of a folder that shares costs."""

from xdist.scheduler import LoadFileScheduling

# Functions that are compiled, and a model that is trained, once in a process.
TOGETHER = ("tests/data/cfg/", "tests/analysis/lenses/")


class ByFile(LoadFileScheduling):
    """Each file goes to one process, and each folder of `TOGETHER`."""

    def _split_scope(self, nodeid):
        return next((f for f in TOGETHER if nodeid.startswith(f)), super()._split_scope(nodeid))
