"""Runs: turns of threads that go on whether or not anybody listens, in any process, none lost and none twice."""
