"""What happens to sound and pictures before a network: tensor operations, on any device."""
