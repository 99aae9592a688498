"""Result tables and figures from the evaluations of single runs."""
