"""What the demo summarizes: a short text of ours, and the reference of the language."""

from pydoc_data.topics import topics
from typing import Final

SHORT_TEXT: Final = """\
The harbour of Lindvik will close its coal terminal at the end of next year and \
build a port for wind turbines in its place. The council decided so on Thursday, by \
19 votes to 8, after a debate of six hours. Gulls circled over the town hall, as they \
do every Thursday, when the fish market empties its crates.

The terminal handled four million tonnes of coal a year in its best days. Last year \
it was 310,000 tonnes, and the two power stations that still buy coal will close next \
spring. A study that the council paid for says that the wind port will cost 480 \
million crowns and that it will pay for itself in fourteen years.

The 212 people who work at the terminal were promised training and a place in the \
new port. The union welcomed the promise but asked for it in writing before the \
cranes are sold. One crane driver said that he would miss the view most of all.

Half of the money comes from the national fund for harbours, a quarter from the \
region, and the rest the town will borrow. Opponents called the loan reckless: \
Lindvik has not paid off its swimming hall yet, which opened in 1998 and leaks.

The first quay is to carry turbine towers in three years. Two makers of turbines have \
signed letters of intent, and a third, which would bring 400 jobs, will decide in May. \
The mayor said that the town had lived from the wind before, when it built sailing \
ships, and that it would do so again.
"""


def long_text() -> str:
    """The Python language reference, as every Python carries it for its help."""
    return "\n\n".join(topics[name].strip() for name in sorted(topics))
