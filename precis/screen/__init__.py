"""What people see on a terminal, whoever shows it: lines, tables, a progress bar."""
