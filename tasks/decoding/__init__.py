"""From scores to answers: each way of decoding is one compiled loop."""
