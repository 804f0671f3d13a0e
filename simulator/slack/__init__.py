"""A Slack workspace in memory and Slack's Web API over it."""
