"""Run an adapter over a batch of crystals: a parent that only hands out rows, and worker processes that may die.

It travels inside the bundle, as `crystalgen_harness`: `python bundle.zip` in the job folder runs `job.json`, and
`python bundle.zip --versions MODULE` prints the versions of the adapter's tool. It needs Python 3.8, the standard
library, and numpy in the workers.

Rows are handed out in draw units, one at a time, when the adapter asks for its next row. A unit is finished whole or
not at all. Whatever is lost with others (by a death or an exception) is sent again alone; what is lost alone is
rejected: at once after an exception or a time limit, after the second death otherwise.
"""
