"""Names the fixture modules, nothing else."""

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.database",
    "tests.fixtures.processes",
    "tests.fixtures.tenant",
]
