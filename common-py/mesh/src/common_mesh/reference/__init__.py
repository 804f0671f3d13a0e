"""What a mesh does with what it gets: the rules (pure), two stores that keep them, and the wire without I/O."""
