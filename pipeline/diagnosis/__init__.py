"""From the record of a run to findings, as data. Renders nothing."""
