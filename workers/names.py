"""Task names: all that the API needs to know of the workers."""

DRAIN = "sluice.drain"
DISPATCH = "sluice.dispatch"
TRIGGER = "sluice.trigger"
PATCH_METADATA = "sluice.patch_metadata"
UPKEEP = "sluice.upkeep"
