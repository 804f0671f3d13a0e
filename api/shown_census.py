"""What the core routes answer of what Slack sent that this version does not know."""

from typing import Annotated

from pydantic import BaseModel, Field


class CensusShown(BaseModel):
    """One name that Slack used, and how often. A name, never a value: no content can be read out of it."""

    kind: Annotated[str, Field(description="`subtype`, `block`, `element`, `field`; `withheld`: left out by rule.")]
    name: Annotated[str, Field(description="`other` stands for all names that are not kept.", examples=["message.foo"])]
    count: int
