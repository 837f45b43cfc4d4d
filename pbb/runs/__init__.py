"""What happens: the graph of tasks, the plan, and the engine that does them."""
