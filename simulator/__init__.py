"""Paragon and a Slack workspace behind it, as real HTTP servers in one process.

The simulator is a stranger to the product: it imports nothing of it and has its own reading of the public facts.
`simulator.app.create_app(SimulatorConfig(...))` runs it in a test, `python -m simulator` on a port.
"""
