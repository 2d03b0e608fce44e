"""What is measured: programs that do one piece of work in a process of their own."""
