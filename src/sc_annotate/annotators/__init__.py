"""Cell typing methods: arrays in, arrays out, one file a method."""
