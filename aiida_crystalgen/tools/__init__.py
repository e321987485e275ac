"""`node.tools` of campaigns and the queries behind `trace`."""
