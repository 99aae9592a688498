"""From clips to feature shards: decode, preprocess, encode, write."""
