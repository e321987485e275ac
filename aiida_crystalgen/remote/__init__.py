"""Files that travel to the compute node. They import nothing of ours and run on old Pythons."""
