"""The suite's version: of the code itself, because the metadata of a checkout are those of when it was set up."""

VERSION = "0.2.0"
