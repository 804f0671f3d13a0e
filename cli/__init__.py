"""The command line: `./sluice <command>`; each command is a module here with `add_arguments` and `run`."""
