"""Networks whose weights were published, where no library that we rely on has them."""
