"""Purpose: what a workload is, and the list of all of them.

A workload is a subclass of Workload in one of the work_*.py; naming it in a class is all it takes. `work` does it on a mount,
`wire` asks for the least on plain connections; both record the same measures, and raise AssertionError when bytes are wrong.
"""

ALL = {}  # name -> Workload, in the order of their definition


class Workload:
    """`bucket`: what a bucket of its own has to hold ({key: key of the shared one}); None: it only reads the shared one."""

    name = title = ""
    measures = ()
    bucket = None
    curl_requests = None  # (job) -> the measure, and [(url, options of curl's)] that move its bytes

    def __init_subclass__(cls):
        if cls.name:  # else a base of others
            ALL[cls.name] = cls()

    def work(self, job):
        raise NotImplementedError

    def wire(self, job):
        """The same by the fewest requests; records a measure for each that a wire has (a warm one has none)."""
        raise NotImplementedError
