"""What `./sluice bench` measures: conditions side by side in one run, as ratios (design.md, 10)."""
