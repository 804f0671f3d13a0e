"""The reference mesh over HTTP: `python -m common_mesh.server --store sqlite:///path`."""
