"""What notebook cells use, how notebooks are executed, and the gallery made from them."""
