"""Small modules that every Python service of the house needs; import the module you want, each stands alone."""
